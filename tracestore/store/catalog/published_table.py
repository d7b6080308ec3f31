"""Files that others read by lists of their own, in the catalog: they outlive their segments."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from tracestore.store.catalog import database
from tracestore.store.catalog.schema.tables import GARBAGE, PUBLISHED


def read_in(connection: sa.Connection) -> frozenset[str]:
    """Returns the keys of published files."""
    return frozenset(connection.execute(sa.select(PUBLISHED.c.place)).scalars())


def add_in(connection: sa.Connection, file_keys: Collection[str]) -> None:
    """Notes files, those that are noted already left aside."""
    new = sorted(frozenset(file_keys) - read_in(connection))
    if new:
        connection.execute(PUBLISHED.insert(), [{"place": file_key} for file_key in new])


def remove_in(connection: sa.Connection, file_keys: Collection[str]) -> None:
    """Forgets files that nobody lists any more."""
    names = sorted(file_keys)
    for start in range(0, len(names), database.MAX_IN_LIST):
        batch = names[start : start + database.MAX_IN_LIST]
        connection.execute(PUBLISHED.delete().where(PUBLISHED.c.place.in_(batch)))


def removable_garbage_in(connection: sa.Connection) -> list[tuple[str, str, int]]:
    """Returns (file key, segment id, version that removed it) of garbage that is not published."""
    listed = sa.select(PUBLISHED.c.place).where(PUBLISHED.c.place == GARBAGE.c.place)
    query = sa.select(GARBAGE.c.place, GARBAGE.c.segment_id, GARBAGE.c.version)
    unlisted = query.where(~sa.exists(listed))
    return [(row.place, row.segment_id, row.version) for row in connection.execute(unlisted)]
