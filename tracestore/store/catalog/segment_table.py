"""Segments inside a transaction of the catalog: rows that come, rows that go, and the paths of both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from tracestore import limits
from tracestore.store.catalog import database, packing, replaced_table, schema
from tracestore.store.catalog.path_ids import leaf_of
from tracestore.store.catalog.path_ledger import PathLedger
from tracestore.store.catalog.schema import GARBAGE, SEGMENTS
from tracestore.store.catalog.segment_row import Ids, NewSegment, SegmentRow
from tracestore.store.files import filenames


def insert_in(
    connection: sa.Connection, added: Sequence[NewSegment], version: int, ledger: PathLedger
) -> list[SegmentRow]:
    """Adds segments; returns their rows."""
    values = [_values(new, version, ledger) for new in added]
    if values:
        connection.execute(SEGMENTS.insert(), values)
    return [row_of(value) for value in values]


def remove_in(
    connection: sa.Connection, removed: Sequence[SegmentRow], version: int, ledger: PathLedger
) -> None:
    """Takes segments away, and notes their files as garbage."""
    tails = tails_in(connection, [row.segment_id for row in removed if row.tail_bytes is not None])
    replaced_table.remove_in(connection, [row.segment_id for row in removed])
    for row in removed:
        owner = (row.table, row.project)
        ledger.remove(owner, row.leaf_ids.tolist(), row.leaf_rows.tolist())
        if row.segment_id in tails:
            ids, rows = tails[row.segment_id]
            ledger.remove(owner, ids.tolist(), rows.tolist())
        where = SEGMENTS.c.segment_id == row.segment_id
        if connection.execute(SEGMENTS.delete().where(where)).rowcount != 1:
            raise AssertionError(f"BUG: segment {row.segment_id} was removed twice")
        file_keys = [row.file_key, *(key for key, _ in row.sidecars())]
        if row.tail_bytes is not None:
            file_keys.append(filenames.former_tail_key(row.file_key))
        values = [
            {"place": file_key, "segment_id": row.segment_id, "version": version}
            for file_key in file_keys
        ]
        connection.execute(GARBAGE.insert(), values)


def read_in(
    connection: sa.Connection, name: str, segment_ids: Collection[str] | None = None
) -> list[SegmentRow]:
    """Returns all segments of a catalog, or those of some ids that are there; quarantined ones are among them."""
    columns = [
        column
        for column in schema.segment_columns(schema.read_version(connection, name))
        if column.name not in ("tail_ids", "tail_rows")
    ]
    query = sa.select(*columns)
    if segment_ids is None:
        rows = connection.execute(query).mappings().all()
        return [row_of(dict(row)) for row in rows]
    found = []
    for batch in database.batches(segment_ids):
        rows = connection.execute(query.where(SEGMENTS.c.segment_id.in_(batch))).mappings().all()
        found += [row_of(dict(row)) for row in rows]
    return found


def tails_in(connection: sa.Connection, segment_ids: Collection[str]) -> dict[str, tuple[Ids, Ids]]:
    """Returns (path ids, rows) of the tails of segments."""
    result: dict[str, tuple[Ids, Ids]] = {}
    for batch in database.batches(segment_ids):
        query = sa.select(SEGMENTS.c.segment_id, SEGMENTS.c.tail_ids, SEGMENTS.c.tail_rows)
        for row in connection.execute(query.where(SEGMENTS.c.segment_id.in_(batch))):
            ids = packing.unpack_compressed(row.tail_ids)
            result[row.segment_id] = (ids, packing.unpack_compressed(row.tail_rows))
    return result


def row_of(values: Mapping[str, Any]) -> SegmentRow:
    """Returns a row of the table as a segment."""
    ids, rows = (packing.unpack(values[name]) for name in ("leaf_ids", "leaf_rows"))
    return SegmentRow.of_values(values, ids, rows)


def _values(new: NewSegment, version: int, ledger: PathLedger) -> dict[str, Any]:
    owner = (new.table, new.project)
    leaves = {leaf_of(column): rows for column, rows in new.leaf_rows.items()}
    leaf_ids = ledger.add(owner, leaves, bound=None)
    tail_ids = ledger.add(owner, new.tail_rows, bound=limits.MAX_CATALOG_PATHS)
    return {
        **new.catalog_values(),
        "version": version,
        "leaf_ids": packing.pack(leaf_ids),
        "leaf_rows": packing.pack(leaf_ids.values()),
        "tail_ids": packing.pack_compressed(tail_ids),
        "tail_rows": packing.pack_compressed(tail_ids.values()),
        "unlisted_paths": len(new.tail_rows) - len(tail_ids),
        "fault": None,
    }
