"""`tracestore import`: files of traces, logs or rows into a store."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tracestore.cli.bars import err
from tracestore.cli.connection import writing
from tracestore.cli.options import DataOption, FormatOption, KeyOption, UrlOption
from tracestore.cli.printing import show, tell
from tracestore.errors import (
    ClientError,
    NothingStoredError,
    PayloadError,
    UnsupportedPayloadError,
)
from tracestore.importing import (
    STDIN,
    Imported,
    ImportFileError,
    Payload,
    files_of,
    requests_of,
    requests_of_stream,
)

_REFUSED: Final = (
    PayloadError,
    UnsupportedPayloadError,
    NothingStoredError,
    ClientError,
    ImportFileError,
)
"""What one file may end with while the others are imported all the same."""


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="OTLP requests or rows: .json .jsonl .ndjson .pb .pbs, also .zst and .gz; rows: .parquet; folders; "
            "'-' reads standard input."
        ),
    ],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    table: Annotated[str, typer.Option(help="The table of plain rows: spans or logs.")] = "spans",
    project: Annotated[str | None, typer.Option(help="The project of rows that name none.")] = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Imports files: OTLP requests as JSON or protobuf, or rows whose keys are columns.

    A bad row or span is refused alone, and one that the store has already is not stored again. Status 1 where a
    file cannot be read: the others are imported all the same.
    """
    paths = files_of(files)
    sizes = {path: path.stat().st_size if path != STDIN else 0 for path in paths}
    total = Imported(files=len(paths))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with writing(data, url, key) as source, Progress(*columns, console=err) as progress:
        task = progress.add_task("importing", total=sum(sizes.values()) or None)
        for path in paths:
            progress.update(task, description="stdin" if path == STDIN else path.name)
            try:
                requests = (
                    requests_of_stream(sys.stdin.buffer) if path == STDIN else requests_of(path)
                )
                for payload in requests:
                    total.add(_imported(source, payload, table, project))
            except _REFUSED as error:
                total.failed += 1
                tell(f"error: {path}: {error}")
            progress.advance(task, sizes[path])
    if format == "table":
        tell(str(total))
    else:
        show([asdict(total)], format)
    if total.failed:
        raise typer.Exit(1)


def _imported(source: Any, payload: Payload, table: str, project: str | None) -> Any:
    if payload.content_type is None:
        return source.insert(table, payload.body, project=project)
    return source.ingest_otlp(payload.body, payload.signal, payload.content_type, project=project)
