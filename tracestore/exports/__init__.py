"""Export of answers of any size to files, folders and object stores, in bounded memory; it can be taken up again.

A query with an ORDER BY is read by a cursor, so that an export that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow.fs as pafs

from tracestore.exports.reading import ExportError, Rows
from tracestore.exports.state import Progress
from tracestore.exports.targets import File, Folder
from tracestore.exports.writers import WRITERS, Sink
from tracestore.object_stores import connect

__all__ = ["FORMATS", "ExportError", "Progress", "export", "export_to"]

FORMATS: Final = tuple(WRITERS)

_SUFFIXES: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
}

PART_ROWS: Final = 250_000
"""Rows of one file of a folder: what an export that was stopped may have to read again."""


def export(
    source: Any,
    sql: str,
    output: str,
    *,
    params: Any = None,
    format: str | None = None,  # noqa: A002 - what everybody calls it
    resume: bool = False,
    part_rows: int = PART_ROWS,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Writes an answer to a file (told by its suffix), a folder or an object store, and checks it.

    Args:
        source: an open store, or a client of a server.
        sql: the query; with an ORDER BY the export can be taken up again.
        output: a file's name, a folder's, or `s3://bucket/…`; a name without a known suffix is a folder.
        params: parameters of the query.
        format: one of `FORMATS`, by default as the file's suffix says.
        resume: goes on with an export that was stopped, where there is one.
        part_rows: rows of each file of a folder.
        on_progress: called after each batch.

    Raises:
        ExportError: saying what cannot be done, or that files do not hold what was written.
    """
    kind = _format_of(output, format)
    files, place = _connected(output)
    single = any(place.endswith(suffix) for suffix in _SUFFIXES)
    digest = hashlib.sha256(json.dumps([sql, params, kind], default=str).encode()).hexdigest()
    target = File(files, place, kind) if single else Folder(files, place, kind, part_rows)
    progress = target.begin(digest, resume=resume)
    with Rows(source, sql, params, progress.cursor) as opened:
        target.write(opened, progress, on_progress)
    target.check(progress)
    target.forget_state()
    return progress


def export_to(
    source: Any,
    sql: str,
    sink: Sink,
    *,
    params: Any = None,
    format: str = "jsonl",  # noqa: A002 - what everybody calls it
) -> Progress:
    """Writes an answer to an open sink, in one of `FORMATS`; nothing of it can be taken up again.

    Raises:
        ExportError: saying what cannot be done.
    """
    kind = _format_of("", format)
    progress = Progress("")
    with Rows(source, sql, params, None) as opened:
        writer = WRITERS[kind](sink, opened.schema)
        for batch, _ in opened:
            writer.write(batch)
        writer.close()
    progress.rows, progress.refused = writer.rows, writer.refused
    return progress


def _format_of(output: str, wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in FORMATS:
            raise ExportError(
                f"cannot export as {wanted!r}: unknown format; want {', '.join(FORMATS)}"
            )
        return wanted
    name = output.partition("?")[0] if "://" in output else output
    format_name = next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)
    if format_name is None:
        raise ExportError(
            f"cannot export to {output}: its name tells no format; end it with one of "
            f"{', '.join(_SUFFIXES)}, or give a format: {', '.join(FORMATS)}"
        )
    return format_name


def _connected(output: str) -> tuple[pafs.FileSystem, str]:
    if "://" in output:
        return connect(output)
    return pafs.LocalFileSystem(), str(Path(output).absolute())
