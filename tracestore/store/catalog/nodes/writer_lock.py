"""The lock by which a PostgreSQL catalog has one writer, or nodes, and what a writer may do that has lost it.

1. take the lock: who finds another writer there is refused
2. claim the catalog: it names its writer from now on
3. each change looks first whether the catalog names this writer still
The lock goes with its connection: a killed writer frees it, and a restart of the database takes it away. It is taken
again before the next change. Where another writer came between, the catalog names that one: this one changes nothing
any more.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tracestore.errors import StoreLockedError
from tracestore.store.catalog.schema.tables import META

# Key of the advisory lock that a writer holds on a PostgreSQL catalog: "tracesto" in ASCII.
ADVISORY_KEY: Final = 0x7472616365737430 - (1 << 63)

_KEY: Final = sa.literal(ADVISORY_KEY, sa.BigInteger)

_CLAIM: Final = "writer"
"""The key of the meta table that names who may change the catalog."""

_NODES: Final = "nodes"
"""The name of all nodes together."""


class WriterLock:
    """The lock of a catalog's writer, on any machine; nodes share one. Thread-safe. Does nothing on SQLite.

    Args:
        engine: of the catalog.
        name: of the catalog, for messages.
        shared: whether the writer is one of several nodes.
    """

    def __init__(self, engine: sa.Engine, name: str, *, shared: bool) -> None:
        self._engine = engine
        self._name = name
        self._is_needed = engine.dialect.name == "postgresql"
        self._own = _NODES if shared else secrets.token_hex(16)
        functions = sa.func
        self._try = (
            functions.pg_try_advisory_lock_shared if shared else functions.pg_try_advisory_lock
        )
        self._unlock = (
            functions.pg_advisory_unlock_shared if shared else functions.pg_advisory_unlock
        )
        self._connection: sa.Connection | None = None
        self._mutex = threading.Lock()

    def take(self) -> None:
        """Takes the lock; raises StoreLockedError where another writer holds it."""
        with self._mutex:
            if self._is_needed and not self._taken():
                raise StoreLockedError(
                    f"cannot open catalog {self._name}: another writer holds it; stop it or open with mode='r'"
                )

    def claim_in(self, connection: sa.Connection) -> None:
        """Names this writer in the catalog. The lock is held."""
        if not self._is_needed or self._named_in(connection) == self._own:
            return
        done = connection.execute(META.update().where(META.c.key == _CLAIM).values(value=self._own))
        if not done.rowcount:
            connection.execute(META.insert().values(key=_CLAIM, value=self._own))

    def hold(self) -> None:
        """Takes the lock again where its connection was lost.

        Whether another writer has it, the claim says: a connection of this one may still be there, for the database.
        """
        if not self._is_needed:
            return
        with self._mutex:
            if self._connection is not None:
                try:
                    self._connection.execute(sa.select(1))
                except SQLAlchemyError:
                    self._forget()
                else:
                    return
            self._taken()

    def check_in(self, connection: sa.Connection) -> None:
        """Raises StoreLockedError where another writer has opened the catalog since; it waits for this transaction."""
        if self._is_needed and self._named_in(connection) != self._own:
            raise StoreLockedError(
                f"cannot write catalog {self._name}: another writer has opened it since the connection was lost; "
                "stop one of the two, and open this one again"
            )

    def close(self) -> None:
        """Gives the lock back at once: the database ends a closed connection when it gets to it."""
        with self._mutex:
            if self._connection is None:
                return
            with contextlib.suppress(SQLAlchemyError):
                self._connection.execute(sa.select(self._unlock(_KEY)))
            self._forget()

    def _taken(self) -> bool:
        """Takes the lock on a connection of its own; returns whether it could."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            if connection.execute(sa.select(self._try(_KEY))).scalar_one():
                self._connection = connection
                return True
        finally:
            if self._connection is not connection:
                connection.close()
        return False

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                connection.close()

    def _named_in(self, connection: sa.Connection) -> str | None:
        query = sa.select(META.c.value).where(META.c.key == _CLAIM).with_for_update(read=True)
        name: str | None = connection.execute(query).scalar()
        return name


def settled_version_in(connection: sa.Connection) -> int:
    """Returns the number of the newest transaction, after one that may be under way still."""
    # The row is locked for as long as a transaction that changes it is.
    query = sa.select(META.c.value).where(META.c.key == "catalog_version").with_for_update()
    return int(connection.execute(query).scalar_one())
