"""The segments of the catalog: those that are added and removed, all of them at once, and the paths of some."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from tracestore import limits
from tracestore.store.catalog import database, packing, replaced_table
from tracestore.store.catalog.packed_segments import NONE, NUMBERS, PackedSegments, Packing
from tracestore.store.catalog.path_ids import leaf_of
from tracestore.store.catalog.path_ledger import PathLedger
from tracestore.store.catalog.replaced_table import RowNumbers
from tracestore.store.catalog.schema import versions
from tracestore.store.catalog.schema.tables import GARBAGE, PROJECTS, SEGMENTS
from tracestore.store.catalog.segment_row import NewSegment, SegmentPaths, SegmentRow
from tracestore.store.files import filenames

_PATH_COLUMNS: Final = ("leaf_ids", "leaf_rows", "tail_ids", "tail_rows")
_TEXTS: Final = ("segment_id", "table_name", "project", "place")

# Rows that are read at once: some megabytes of the driver's objects.
_CHUNK_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """The segments of a catalog, as of one moment.

    Attributes:
        version: of the catalog.
        path_bound: ids of paths from here on are unknown to it.
        live: segments that may be read.
        quarantined: those that may not.
        replaced: rows that do not count, by segment id.
    """

    version: int
    path_bound: int
    live: Sequence[PackedSegments]
    quarantined: Sequence[SegmentRow]
    replaced: Mapping[str, RowNumbers]

    def rows(self) -> list[SegmentRow]:
        """Returns every segment as an object."""
        return [*self.quarantined, *(row for group in self.live for row in group.rows())]


def load_in(
    connection: sa.Connection,
    columns: Sequence[sa.Column[Any]],
    version: int,
    path_bound: int,
) -> Loaded:
    """Returns every segment, given the columns that the catalog has."""
    known = {column.name: column for column in columns if column.name not in _PATH_COLUMNS}
    faulty = sa.select(*known.values()).where(SEGMENTS.c.fault.is_not(None))
    return Loaded(
        version,
        path_bound,
        _live(connection, known),
        [SegmentRow.of_values(dict(row)) for row in connection.execute(faulty).mappings()],
        replaced_table.read_in(connection),
    )


def newest_id_in(connection: sa.Connection) -> str | None:
    """Returns the greatest id of a segment or of garbage, None where there is neither."""
    queries = [sa.select(sa.func.max(table.c.segment_id)) for table in (SEGMENTS, GARBAGE)]
    newest: list[str | None] = [connection.execute(query).scalar() for query in queries]
    return max((segment_id for segment_id in newest if segment_id is not None), default=None)


def paths_in(connection: sa.Connection, segment_ids: Sequence[str]) -> dict[str, SegmentPaths]:
    """Returns the paths of segments that the catalog knows still."""
    result: dict[str, SegmentPaths] = {}
    query = sa.select(SEGMENTS.c.segment_id, *(SEGMENTS.c[name] for name in _PATH_COLUMNS))
    for batch in database.batches(segment_ids):
        chosen = query.where(SEGMENTS.c.segment_id.in_(batch))
        for row in connection.execute(chosen).mappings():
            result[row["segment_id"]] = _unpacked(dict(row))
    return result


def _unpacked(values: Mapping[str, Any]) -> SegmentPaths:
    """Returns the paths of a row of the table."""
    return SegmentPaths(
        packing.unpack(values["leaf_ids"]),
        packing.unpack(values["leaf_rows"]),
        packing.unpack_compressed(values["tail_ids"]),
        packing.unpack_compressed(values["tail_rows"]),
    )


def insert_in(
    connection: sa.Connection, added: Sequence[NewSegment], version: int, ledger: PathLedger
) -> tuple[list[SegmentRow], dict[str, SegmentPaths]]:
    """Adds segments; returns their rows, and their paths by segment id."""
    values = [_values(new, version, ledger) for new in added]
    if values:
        connection.execute(SEGMENTS.insert(), values)
    rows = [SegmentRow.of_values(value) for value in values]
    return rows, {value["segment_id"]: _unpacked(value) for value in values}


def read_in(connection: sa.Connection, name: str, segment_ids: Collection[str]) -> list[SegmentRow]:
    """Returns those segments of some ids that are there; quarantined ones are among them."""
    columns = versions.segment_columns(connection, name)
    query = sa.select(*(column for column in columns if column.name not in _PATH_COLUMNS))
    rows: list[SegmentRow] = []
    for batch in database.batches(segment_ids):
        chosen = connection.execute(query.where(SEGMENTS.c.segment_id.in_(batch)))
        rows += [SegmentRow.of_values(dict(row)) for row in chosen.mappings()]
    return rows


def remove_in(
    connection: sa.Connection, removed: Sequence[SegmentRow], version: int, ledger: PathLedger
) -> None:
    """Drops segments, whose files become garbage."""
    segment_ids = [row.segment_id for row in removed]
    paths = paths_in(connection, segment_ids)
    replaced_table.remove_in(connection, segment_ids)
    for row in removed:
        own = paths.get(row.segment_id)
        where = SEGMENTS.c.segment_id == row.segment_id
        if own is None or connection.execute(SEGMENTS.delete().where(where)).rowcount != 1:
            raise AssertionError(f"BUG: segment {row.segment_id} was removed twice")
        owner = (row.table, row.project)
        ledger.remove(owner, own.leaf_ids.tolist(), own.leaf_rows.tolist())
        ledger.remove(owner, own.tail_ids.tolist(), own.tail_rows.tolist())
        file_keys = [row.file_key, *(key for key, _ in row.sidecars())]
        if row.tail_bytes is not None:
            file_keys.append(filenames.former_tail_key(row.file_key))
        values = [
            {"place": file_key, "segment_id": row.segment_id, "version": version}
            for file_key in file_keys
        ]
        connection.execute(GARBAGE.insert(), values)


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


def _live(connection: sa.Connection, columns: Mapping[str, sa.Column[Any]]) -> list[PackedSegments]:
    """Returns the segments without a fault. A row of SQLAlchemy each would cost more than all else of opening."""
    chosen: list[Any] = [columns[name] for name in _TEXTS]
    for name in NUMBERS:
        # Columns that an older catalog lacks are those of sidecars that its segments have not.
        column = columns.get(name)
        number = sa.literal(NONE) if column is None else column
        chosen.append(sa.func.coalesce(number, NONE) if SEGMENTS.c[name].nullable else number)
    cursor = connection.execute(sa.select(*chosen).where(SEGMENTS.c.fault.is_(None))).cursor
    if cursor is None:
        raise AssertionError("BUG: a SELECT gives rows")
    gathered = Packing()
    while rows := cursor.fetchmany(_CHUNK_ROWS):
        gathered.add(rows)
    return list(gathered.packed())


def note_projects_in(connection: sa.Connection, added: Sequence[NewSegment], now_ns: int) -> None:
    """Notes projects that have their first segment."""
    projects = {new.project for new in added}
    if not projects:
        return
    noted = set(connection.execute(sa.select(PROJECTS.c.name)).scalars())
    values = [
        {"name": name, "created_ns": now_ns, "retention_days": None}
        for name in sorted(projects - noted)
    ]
    if values:
        connection.execute(PROJECTS.insert(), values)


def garbage_in(connection: sa.Connection) -> list[tuple[str, str, int]]:
    """Returns (file key, segment id, version that removed it) of files to be removed."""
    query = sa.select(GARBAGE.c.place, GARBAGE.c.segment_id, GARBAGE.c.version)
    return [(row.place, row.segment_id, row.version) for row in connection.execute(query)]
