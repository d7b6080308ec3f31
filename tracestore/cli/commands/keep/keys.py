"""`tracestore keys …`: the keys that a server asks for. They are made in its folder, while it runs too."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

import tracestore
from tracestore.cli.connection import catalog_url, folder_of, opened_to_read
from tracestore.cli.options import DataOption, FormatOption
from tracestore.cli.printing import show, tell
from tracestore.errors import StoreLockedError
from tracestore.store import KeyRing

app = typer.Typer(help="Manages API keys.", no_args_is_help=True, add_completion=False)


@app.command(name="create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    data: DataOption = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="ingest, read or admin; repeat for several.")
    ] = None,
    project: Annotated[
        list[str] | None, typer.Option(help="Bind it to a project; repeat for several.")
    ] = None,
) -> None:
    """Makes a key and prints it once; default scopes are ingest and read."""
    if catalog_url() is None:
        with contextlib.suppress(StoreLockedError):
            tracestore.open(folder_of(data)).close()
    with _ring(folder_of(data)) as ring:
        try:
            key, text = ring.create(name, scope or ["ingest", "read"], project or None)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    tell(f"key {key.key_id} for {name}: {', '.join(sorted(key.scopes))}; it is shown only now")
    sys.stdout.write(text + "\n")


@app.command(name="list")
def keys_list(data: DataOption = None, format: FormatOption = "table") -> None:  # noqa: A002 - the option's name
    """Lists keys, without their secrets."""
    with _ring(folder_of(data)) as ring:
        keys = ring.list()
    show(
        [
            {
                "id": key.key_id,
                "name": key.name,
                "scopes": ", ".join(sorted(key.scopes)),
                "projects": "all" if key.projects is None else ", ".join(sorted(key.projects)),
                "live": key.revoked_ns is None,
            }
            for key in keys
        ],
        format,
        empty="no key yet; `tracestore keys create NAME` makes one",
    )


@app.command(name="revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, from `tracestore keys list`.")],
    data: DataOption = None,
) -> None:
    """Revokes a key; a running server refuses it within two seconds."""
    with _ring(folder_of(data)) as ring:
        ring.revoke(key_id)
    tell(f"key {key_id} is revoked")


@contextlib.contextmanager
def _ring(folder: Path) -> Iterator[KeyRing]:
    """Gives the keys of a folder's store, which a server may have open, or those of a catalog that nodes share."""
    if catalog_url() is None:
        opened_to_read(folder).close()
    with contextlib.closing(KeyRing(folder, catalog_url())) as ring:
        yield ring
