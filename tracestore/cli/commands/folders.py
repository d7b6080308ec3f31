"""Commands about a store as a whole: what it holds, is it sound, merged, copied, its catalog made anew."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import tracestore
from tracestore.cli.connection import folder_of, opened_to_read, reading, server_of, writing
from tracestore.cli.options import DataOption, FormatOption, KeyOption, UrlOption
from tracestore.cli.printing import err, say, show_report, tell
from tracestore.segment.inspect import describe
from tracestore.store import backup as backups
from tracestore.store import rebuild
from tracestore.store.settings import Settings

FolderArgument = Annotated[Path, typer.Argument(help="The store's folder.")]


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
        if isinstance(source, tracestore.Store):
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


def backup(
    folder: FolderArgument,
    target: Annotated[Path, typer.Argument(help="A new folder for the copy.")],
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Copies a store, while a server runs on it too; the copy is a store of its own."""
    with err.status("copying"):
        report = backups.backup(folder, target, Settings())
    show_report(fields_of(report), format)


def recover(
    folder: FolderArgument,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Puts all complete segments of a folder back into its catalog, or into a new one where it is gone."""
    with err.status("reading segments"):
        report = rebuild.recover(folder, Settings())
    show_report(fields_of(report), format)
    if report.new_catalog:
        tell(f"the catalog is new: {rebuild.LOST_WITH_A_CATALOG} are not in it")
    if report.unreadable:
        raise typer.Exit(1)


def inspect(file: Annotated[Path, typer.Argument(help="A segment, tail or WAL file.")]) -> None:
    """Prints a file of a store field by field."""
    for line in describe(file).lines():
        say(line)


def fields_of(report: Any) -> dict[str, Any]:
    """Returns the fields of a report, of a store or of a server."""
    return dict(report) if isinstance(report, dict) else asdict(report)
