"""Patches in the catalog: a row each until it is folded in, which the change of segments deletes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.schema import PATCHES


def read(catalog: Catalog) -> list[tuple[int, str, str, str, str]]:
    """Returns (created_ns, project, trace_id, span_id, change) of every patch, oldest first."""
    with catalog.transaction() as connection:
        if not sa.inspect(connection).has_table(PATCHES.name):
            return []  # a catalog of an older version, opened by a reader
        query = sa.select(PATCHES).order_by(PATCHES.c.created_ns)
        return [
            (row.created_ns, row.project, row.trace_id, row.span_id, row.change)
            for row in connection.execute(query)
        ]


def mark(catalog: Catalog) -> tuple[int, int]:
    """Returns the newest patch's time and the number of patches, which change when patches come or go."""
    with catalog.transaction() as connection:
        if not sa.inspect(connection).has_table(PATCHES.name):
            return (0, 0)
        query = sa.select(sa.func.max(PATCHES.c.created_ns), sa.func.count())
        newest, count = connection.execute(query.select_from(PATCHES)).one()
    return (newest or 0, count)


def insert(catalog: Catalog, values: Sequence[Mapping[str, Any]]) -> None:
    """Adds patches in one transaction; they are durable on return."""
    with catalog.writing() as connection:
        connection.execute(PATCHES.insert(), list(values))
