"""Commands about the files of a store: copied, put into a catalog anew, printed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracestore.cli.options import FormatOption
from tracestore.cli.printing import err, fields_of, say, show_report, tell
from tracestore.segment.inspect import describe
from tracestore.store import backup as backups
from tracestore.store import rebuild
from tracestore.store.settings import Settings

FolderArgument = Annotated[Path, typer.Argument(help="The store's folder.")]


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
