"""Commands about a store as a whole, here or behind a server: what it holds, is it sound, merged."""

from __future__ import annotations

from typing import Annotated

import typer

import tracestore
from tracestore.cli.bars import err
from tracestore.cli.connection import folder_of, opened_to_read, reading, server_of, writing
from tracestore.cli.options import DataOption, FormatOption, KeyOption, UrlOption
from tracestore.cli.printing import fields_of, show_report, tell


def check(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every page.")] = False,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Verifies the files of a folder and changes none; status 1 where something is wrong."""
    server = server_of(data, url)
    opened = opened_to_read(folder_of(data)) if server is None else tracestore.Client(server, key)
    with opened as source, err.status("checking"):
        report = fields_of(source.check(deep=deep))
    faults = report["faults"]
    show_report(report if format != "table" else {**report, "faults": len(faults)}, format)
    for fault in faults:
        path, what = (fields_of(fault)[name] for name in ("path", "what"))
        tell(f"fault: {path}: {what}")
    if faults:
        raise typer.Exit(1)


def compact(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Merges small segments, and applies deletes."""
    with writing(data, url, key, create=False) as source, err.status("merging"):
        if not isinstance(source, tracestore.Client):
            source.flush()
        report = source.compact(full=True)
    show_report(fields_of(report), format)


def stats(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Counts what a store holds."""
    with reading(data, url, key) as source:
        counts = fields_of(source.stats())
    show_report(counts, format)
