"""Commands about a store's folder as a whole: is it sound, a copy of it, its catalog made anew."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tracestore.cli.terminal import DEFAULT_DATA, DataOption, FormatOption, err, show
from tracestore.embedded import open as open_store
from tracestore.store import backup as backups
from tracestore.store import rebuild
from tracestore.store.settings import Settings

FolderArgument = Annotated[Path, typer.Argument(help="The store's folder.")]


def check(
    data: DataOption = DEFAULT_DATA,
    deep: Annotated[bool, typer.Option("--deep", help="Read every page.")] = False,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Verifies the files of a folder and changes none; status 1 where something is wrong."""
    with open_store(data, "r") as store, err.status("checking"):
        report = store.check(deep=deep)
    show([asdict(report)], format)
    if not report.ok:
        raise typer.Exit(1)


def backup(
    folder: FolderArgument,
    target: Annotated[Path, typer.Argument(help="A new folder for the copy.")],
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Copies a store, while a server runs on it too; the copy is a store of its own."""
    with err.status("copying"):
        report = backups.backup(folder, target, Settings())
    show([asdict(report)], format)


def recover(
    folder: FolderArgument,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Puts all complete segments of a folder back into its catalog, or into a new one where it is gone."""
    with err.status("reading segments"):
        report = rebuild.recover(folder, Settings())
    show([asdict(report)], format)
    if report.new_catalog:
        err.print(f"the catalog is new: {rebuild.LOST_WITH_A_CATALOG} are not in it")
    if report.unreadable:
        raise typer.Exit(1)
