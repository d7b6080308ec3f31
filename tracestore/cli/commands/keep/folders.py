"""Commands about the files of a store: copied, put into a catalog anew, printed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tracestore
from tracestore.cli.bars import err
from tracestore.cli.options import Format, FormatOption
from tracestore.cli.printing import fields_of, say, show_report, tell
from tracestore.segment.inspect import describe
from tracestore.store import backup as backups
from tracestore.store import rebuild
from tracestore.store.files import filenames
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
    catalog: Annotated[
        str | None,
        typer.Option(
            envvar="TRACESTORE_CATALOG",
            show_envvar=False,
            help="Of a node's folder, the database that nodes share; default TRACESTORE_CATALOG.",
        ),
    ] = None,
    segments: Annotated[
        str | None,
        typer.Option(
            envvar="TRACESTORE_SEGMENTS",
            show_envvar=False,
            help="Of a node's folder, their bucket; default TRACESTORE_SEGMENTS.",
        ),
    ] = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Puts all complete segments of a folder back into its catalog, or into a new one where it is gone.

    Of the folder of a node that will not return, it writes what is in the log alone to the bucket, in the node's name.
    """
    if (folder / filenames.NODE).exists():
        _recover_log(folder, catalog, segments, format)
        return
    with err.status("reading segments"):
        report = rebuild.recover(folder, Settings())
    show_report(fields_of(report), format)
    if report.new_catalog:
        tell(f"the catalog is new: {rebuild.LOST_WITH_A_CATALOG} are not in it")
    if report.unreadable:
        raise typer.Exit(1)


def _recover_log(folder: Path, catalog: str | None, segments: str | None, chosen: Format) -> None:
    if catalog is None or segments is None:
        raise typer.BadParameter(
            f"{folder} is the folder of a node: name what its nodes share by --catalog and --segments"
        )
    with (
        err.status("reading the log"),
        tracestore.open(
            folder, catalog_url=catalog, segments_url=segments, node="all", background=False
        ) as store,
    ):
        written = store.flush()
        node_id, found = store.nodes.node_id, store.nodes.recovery
    show_report(
        {
            "node": node_id,
            "rows": found.replayed_rows,
            "segments": written,
            "torn_bytes": found.torn_bytes,
            "damages": [str(damage.path) for damage in found.damages],
            "refused": [fault.path for fault in found.refused_frames],
        },
        chosen,
    )
    tell(
        f"nothing of node {node_id} is missing now; `tracestore nodes --forget {node_id}` takes it off the list"
    )
    if found.damages or found.refused_frames:
        raise typer.Exit(1)


def inspect(file: Annotated[Path, typer.Argument(help="A segment, tail or WAL file.")]) -> None:
    """Prints a file of a store field by field."""
    for line in describe(file).lines():
        say(line)
