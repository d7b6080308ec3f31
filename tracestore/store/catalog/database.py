"""Opens the catalog's database: SQLite in WAL mode by path, PostgreSQL by URL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tracestore.errors import CatalogError, StoreLockedError, StoreMissingError

# Key of the advisory lock that a writer holds on a PostgreSQL catalog: "tracesto" in ASCII.
_ADVISORY_KEY: Final = 0x7472616365737430 - (1 << 63)

MAX_IN_LIST: Final = 500
"""Identifiers in one IN list, below the bounds of SQLite and PostgreSQL."""

_BUSY_MS: Final = 10_000  # a reader's checkpoint may hold SQLite's lock for moments


def make_engine(url: str | Path, *, writable: bool) -> sa.Engine:
    """Returns an engine; nothing is opened yet, save that a missing SQLite file is refused to readers."""
    if isinstance(url, Path):
        if not writable and not url.exists():
            raise StoreMissingError(
                f"cannot open catalog {url}: no such file; is it a store's folder?"
            )
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(url)))
        _tune_sqlite(engine)
        return engine
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(parsed)
        _tune_sqlite(engine)
        return engine
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        return sa.create_engine(parsed, isolation_level="REPEATABLE READ", pool_size=4)
    except (SQLAlchemyError, ImportError) as error:
        raise CatalogError(f"cannot open catalog {_shown(parsed)}: {error}") from error


def shown_url(url: str | Path) -> str:
    """Returns the catalog's name for messages, without a password."""
    return str(url) if isinstance(url, Path) else _shown(_parse(url))


@contextlib.contextmanager
def hold_writer_lock(engine: sa.Engine, name: str) -> Iterator[None]:
    """Keeps other writers, on any machine, off a PostgreSQL catalog. Does nothing on SQLite.

    Raises StoreLockedError. The lock goes with its connection, so a killed writer frees it.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        query = sa.select(sa.func.pg_try_advisory_lock(sa.literal(_ADVISORY_KEY, sa.BigInteger)))
        if not connection.execute(query).scalar_one():
            raise StoreLockedError(
                f"cannot open catalog {name}: another writer holds it; stop it or open with mode='r'"
            )
        try:
            yield
        finally:
            # Given back at once: the server ends a closed connection when it gets to it, and the
            # next writer would find the lock still held.
            with contextlib.suppress(SQLAlchemyError):
                connection.execute(
                    sa.select(sa.func.pg_advisory_unlock(sa.literal(_ADVISORY_KEY, sa.BigInteger)))
                )


def _parse(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except SQLAlchemyError as error:
        raise CatalogError(f"cannot open catalog: {error}") from error


def _shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=True)


def _tune_sqlite(engine: sa.Engine) -> None:
    # The driver must not begin transactions by itself: reads of one snapshot need a BEGIN too.
    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: a commit is on the device before WAL files and segments are removed on its word.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")
