"""Opens the catalog's database: SQLite in WAL mode by path, PostgreSQL by URL."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tracestore.errors import CatalogError, StoreMissingError

# Key of the advisory lock under which tables are made and migrated: "tracest1" in ASCII.
_PREPARING_KEY: Final = 0x7472616365737431 - (1 << 63)

MAX_IN_LIST: Final = 500
"""Identifiers in one IN list, below the bounds of SQLite and PostgreSQL."""

_BUSY_MS: Final = 10_000  # a reader's checkpoint may hold SQLite's lock for moments


_NODE_BOUNDS: Final[dict[str, Any]] = {
    # A network that carries nothing any more is noticed, and a node that hangs in a transaction keeps no others off.
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "options": "-c idle_in_transaction_session_timeout=30s -c lock_timeout=30s -c statement_timeout=60s",
}
"""Bounds of the connections of a node; what the URL says wins."""


def make_engine(url: str | Path, *, writable: bool, shared: bool = False) -> sa.Engine:
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
        bounds = {k: v for k, v in _NODE_BOUNDS.items() if shared and k not in parsed.query}
        return sa.create_engine(
            parsed, isolation_level="REPEATABLE READ", pool_size=4, connect_args=bounds
        )
    except (SQLAlchemyError, ImportError) as error:
        raise CatalogError(f"cannot open catalog {_shown(parsed)}: {error}") from error


def shown_url(url: str | Path) -> str:
    """Returns the catalog's name for messages, without a password."""
    return str(url) if isinstance(url, Path) else _shown(_parse(url))


@contextlib.contextmanager
def preparing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Gives a connection on which tables are made and migrated, by one process at a time."""
    if engine.dialect.name != "postgresql":
        with engine.begin() as connection:
            yield connection
        return
    # A transaction sees what was done before each of its statements: also what another did while this one waited.
    key = sa.literal(_PREPARING_KEY, sa.BigInteger)
    with (
        engine.connect().execution_options(isolation_level="READ COMMITTED") as connection,
        connection.begin(),
    ):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        yield connection


def lock_writes(connection: sa.Connection) -> None:
    """Waits until no other process writes; statements behind it see all that they did."""
    connection.exec_driver_sql("LOCK TABLE tracestore_meta IN EXCLUSIVE MODE")


@contextlib.contextmanager
def turn(connection: sa.Connection, name: str) -> Iterator[None]:
    """Keeps all others that ask for the same turn waiting; it ends with the connection."""
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
    key = sa.literal(number, sa.BigInteger)
    connection.execute(sa.select(sa.func.pg_advisory_lock(key)))
    try:
        yield
    finally:
        with contextlib.suppress(SQLAlchemyError):
            connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))


def now_ns(connection: sa.Connection) -> int:
    """Returns the time by the database's clock, which is one for all nodes."""
    if connection.dialect.name != "postgresql":
        return time.time_ns()
    query = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000000 AS BIGINT)"
    now: int = connection.exec_driver_sql(query).scalar_one()
    return now


def batches(values: Collection[Any]) -> Iterator[list[Any]]:
    """Yields values in order, as many at once as one IN list may have."""
    listed = sorted(values)
    for start in range(0, len(listed), MAX_IN_LIST):
        yield listed[start : start + MAX_IN_LIST]


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (SQLAlchemyError, ValueError):
        # What they say may hold a part of a password.
        raise CatalogError(
            "cannot open catalog: want postgresql+psycopg://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE[?OPTIONS]"
        ) from None
    if "@" in (parsed.host or ""):
        # What stands behind the first @ of a password would be sought, and shown, as a host.
        raise CatalogError(
            "cannot open catalog: an @ stands in the host of its URL; write @ of a password as %40, or set PGPASSWORD"
        )
    return parsed


def _shown(url: sa.URL) -> str:
    # Options may be secrets too: `password` is one.
    return url.set(query={}).render_as_string(hide_password=True)


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
