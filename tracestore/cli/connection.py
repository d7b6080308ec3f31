"""The store or the server that a command talks to: both have the same verbs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

import tracestore
from tracestore.cli import collector
from tracestore.cli.printing import note
from tracestore.errors import StoreLockedError, StoreMissingError
from tracestore.lazy_module import import_part

DEFAULT_DATA: Final = Path("tracestore-data")


def folder_of(data: Path | None) -> Path:
    """Returns the folder that was named, by the option or the environment, else the usual one."""
    return data or Path(os.environ.get("TRACESTORE_DATA") or DEFAULT_DATA)


def catalog_url() -> str | None:
    """Returns the catalog's database that the environment names, for nodes that share it."""
    return os.environ.get("TRACESTORE_CATALOG") or None


def server_of(data: Path | None, url: str | None) -> str | None:
    """Returns the server that a command talks to, None for a folder; what is given wins over the environment."""
    if data is not None and url is not None:
        raise typer.BadParameter("give --data or --url, one of the two")
    if data is not None:
        return None
    return url or os.environ.get("TRACESTORE_URL") or None


@contextlib.contextmanager
def reading(data: Path | None, url: str | None, key: str | None) -> Iterator[Any]:
    """Gives what answers questions, and makes no store where there is none.

    A folder that a server has open is asked through the server; one that another process has open is read as
    far as it lies in files.
    """
    server = server_of(data, url)
    if server is not None:
        with tracestore.Client(server, key) as client:
            yield client
        return
    with existing(folder_of(data), key) as source:
        yield source


@contextlib.contextmanager
def writing(
    data: Path | None, url: str | None, key: str | None, *, create: bool = True
) -> Iterator[Any]:
    """Gives what takes data: a server, or a folder's store, which `create` makes where there is none.

    A folder that a server has open is written to through the server.
    """
    server = server_of(data, url)
    source: Any
    if server is not None:
        source = tracestore.Client(server, key)
    else:
        try:
            source = _opened(folder_of(data), create=create)
        except StoreMissingError:
            raise _no_store(folder_of(data)) from None
        except StoreLockedError as error:
            if error.url is None:
                raise
            source = tracestore.Client(error.url, key)
    with source:
        yield source


@contextlib.contextmanager
def existing(folder: Path, key: str | None = None) -> Iterator[Any]:
    """Gives the store of a folder, or its server, and makes none.

    Raises:
        StoreMissingError: where there is none.
    """
    source: Any
    try:
        source = _opened(folder, create=False, background=False)
    except StoreMissingError:
        raise _no_store(folder) from None
    except StoreLockedError as error:
        source = _beside_the_writer(folder, key, error)
    except PermissionError:
        source = _opened(folder, "r")
        note(f"{folder} may not be written to; rows that lie in no segment yet are not seen")
    with source:
        yield source


def opened_to_read(folder: Path) -> Any:
    """Returns a folder's store, open to read what lies in files; whoever writes to it goes on.

    Raises:
        StoreMissingError: where there is none.
    """
    try:
        return _opened(folder, "r")
    except StoreMissingError:
        raise _no_store(folder) from None


def _opened(folder: Path, mode: str = "rw", **settings: Any) -> Any:
    with collector.held_off():
        embedded = import_part("tracestore.embedded")
    return embedded.open(folder, mode, **settings)


def _no_store(folder: Path) -> StoreMissingError:
    return StoreMissingError(
        f"cannot find a store in {folder}: name its folder by --data DIR, or a server by --url URL; "
        "`tracestore serve` and `tracestore import` make one"
    )


def _beside_the_writer(folder: Path, key: str | None, error: StoreLockedError) -> Any:
    if error.url is not None:
        return tracestore.Client(error.url, key)
    note(f"{folder} is {error.holder}; rows that it has in memory are not seen")
    return _opened(folder, "r")
