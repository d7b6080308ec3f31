"""Patches in the catalog: a row each until it is folded in, which the change of segments moves aside.

What was folded in is kept a while, since a later version of its span may take the place of the row that has it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from tracestore.store.catalog import database
from tracestore.store.catalog.schema.tables import FOLDED_PATCHES, PATCHES

MAX_FOLDED: Final = 100_000
"""Folded patches that are kept for later versions of their spans: about 30 MB of the catalog. The oldest go first."""

MAX_FOLDED_AGE_NS: Final = 7 * 86_400 * 1_000_000_000
"""Age up to which they are kept: a week. Spans are sent again within hours."""

PatchValues = tuple[int, str, str, str, str]
"""Time, project, trace id, span id and change of a patch."""


def read_in(connection: sa.Connection) -> list[PatchValues]:
    """Returns every patch, oldest first."""
    if not sa.inspect(connection).has_table(PATCHES.name):
        return []  # a catalog of an older version, opened by a reader
    query = sa.select(PATCHES).order_by(PATCHES.c.created_ns)
    return [_values(row) for row in connection.execute(query)]


def read_of(connection: sa.Connection, created_ns: Collection[int]) -> list[PatchValues]:
    """Returns the patches of some times that wait, oldest first."""
    found: list[PatchValues] = []
    for batch in database.batches(created_ns):
        query = sa.select(PATCHES).where(PATCHES.c.created_ns.in_(batch))
        found += [_values(row) for row in connection.execute(query)]
    return sorted(found)


def next_ns_in(connection: sa.Connection, now_ns: int) -> int:
    """Returns a time for the next patch: now, and later than that of every patch there is."""
    newest = [
        connection.execute(sa.select(sa.func.max(table.c.created_ns))).scalar() or 0
        for table in (PATCHES, FOLDED_PATCHES)
    ]
    return max(now_ns, *(ns + 1 for ns in newest))


def mark_in(connection: sa.Connection) -> tuple[int, int]:
    """Returns the newest patch's time and the number of patches, which change when patches come or go."""
    if not sa.inspect(connection).has_table(PATCHES.name):
        return (0, 0)
    query = sa.select(sa.func.max(PATCHES.c.created_ns), sa.func.count())
    newest, count = connection.execute(query.select_from(PATCHES)).one()
    return (newest or 0, count)


def insert_in(connection: sa.Connection, values: Sequence[Mapping[str, Any]]) -> None:
    """Adds patches."""
    connection.execute(PATCHES.insert(), list(values))


def delete_in(connection: sa.Connection, created_ns: Collection[int]) -> None:
    """Drops patches, whether they wait or were folded in."""
    for batch in database.batches(created_ns):
        for table in (PATCHES, FOLDED_PATCHES):
            connection.execute(table.delete().where(table.c.created_ns.in_(batch)))


def move_in(connection: sa.Connection, created_ns: Collection[int], now_ns: int) -> None:
    """Moves patches aside that were folded in, and drops those that were moved long ago."""
    if not created_ns:
        return
    for batch in database.batches(created_ns):
        _move(connection, PATCHES, FOLDED_PATCHES, PATCHES.c.created_ns.in_(batch))
    oldest = FOLDED_PATCHES.c.created_ns
    newest = sa.select(oldest).order_by(oldest.desc()).offset(MAX_FOLDED).limit(1)
    surplus = connection.execute(newest).scalar() or 0
    bound = max(surplus + 1, now_ns - MAX_FOLDED_AGE_NS)
    connection.execute(FOLDED_PATCHES.delete().where(oldest < bound))


def folded_in(
    connection: sa.Connection, project: str, spans: Collection[tuple[str, str]]
) -> list[PatchValues]:
    """Returns the patches of spans that were folded in, oldest first."""
    found = []
    for batch in database.batches({trace_id for trace_id, _ in spans}):
        owned = FOLDED_PATCHES.c.project == project
        query = sa.select(FOLDED_PATCHES).where(owned, FOLDED_PATCHES.c.trace_id.in_(batch))
        found += [_values(row) for row in connection.execute(query)]
    wanted = set(spans)
    return sorted(values for values in found if values[2:4] in wanted)


def move_back_in(connection: sa.Connection, created_ns: Collection[int]) -> None:
    """Takes patches back among those that wait: the rows that have them are replaced."""
    for batch in database.batches(created_ns):
        _move(connection, FOLDED_PATCHES, PATCHES, FOLDED_PATCHES.c.created_ns.in_(batch))


def all_folded_in(connection: sa.Connection, project: str) -> list[tuple[int, str, str]]:
    """Returns (time, trace id, span id) of a project's patches that were folded in."""
    columns = (FOLDED_PATCHES.c.created_ns, FOLDED_PATCHES.c.trace_id, FOLDED_PATCHES.c.span_id)
    query = sa.select(*columns).where(FOLDED_PATCHES.c.project == project)
    return [(row.created_ns, row.trace_id, row.span_id) for row in connection.execute(query)]


def forget_project_in(connection: sa.Connection, project: str, before_ns: int = 2**63 - 1) -> None:
    """Drops what was folded into rows of a project before a time."""
    old = FOLDED_PATCHES.c.created_ns < before_ns
    connection.execute(FOLDED_PATCHES.delete().where(FOLDED_PATCHES.c.project == project, old))


def _move(
    connection: sa.Connection, source: sa.Table, target: sa.Table, where: sa.ColumnElement[bool]
) -> None:
    names = [column.name for column in source.c]
    connection.execute(target.insert().from_select(names, sa.select(source).where(where)))
    connection.execute(source.delete().where(where))


def _values(row: Any) -> PatchValues:
    return (row.created_ns, row.project, row.trace_id, row.span_id, row.change)
