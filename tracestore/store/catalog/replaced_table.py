"""Rows of segments that a later version of their span replaced, in the catalog: a row for each segment with some."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from tracestore.store.catalog import database, packing
from tracestore.store.catalog.schema.tables import REPLACED_ROWS

RowNumbers = npt.NDArray[np.int64]


def read_in(connection: sa.Connection) -> dict[str, RowNumbers]:
    """Returns row numbers by segment id."""
    if not sa.inspect(connection).has_table(REPLACED_ROWS.name):
        return {}  # a catalog of an older version, opened by a reader
    return _rows(connection, sa.select(REPLACED_ROWS))


def read_of(connection: sa.Connection, segment_ids: Collection[str]) -> dict[str, RowNumbers]:
    """Returns row numbers of some segments, by segment id."""
    found: dict[str, RowNumbers] = {}
    for batch in database.batches(segment_ids):
        query = sa.select(REPLACED_ROWS).where(REPLACED_ROWS.c.segment_id.in_(batch))
        found.update(_rows(connection, query))
    return found


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, RowNumbers]:
    return {
        row.segment_id: packing.unpack_compressed(row.rows).astype(np.int64)
        for row in connection.execute(query)
    }


def write_in(connection: sa.Connection, rows: Mapping[str, RowNumbers]) -> None:
    """Notes all rows of some segments in place of those that were noted of them."""
    remove_in(connection, list(rows))
    values = [
        {"segment_id": segment_id, "rows": packing.pack_compressed(numbers.tolist())}
        for segment_id, numbers in rows.items()
    ]
    if values:
        connection.execute(REPLACED_ROWS.insert(), values)


def remove_in(connection: sa.Connection, segment_ids: Collection[str]) -> None:
    """Forgets segments that are gone."""
    for batch in database.batches(segment_ids):
        connection.execute(REPLACED_ROWS.delete().where(REPLACED_ROWS.c.segment_id.in_(batch)))
