"""Merges tables of stored columns into one. Columns are moved as they are, without a look at their values.

A leaf that has a column in some tables may be, in others, among the values of `_overflow`; and of all together it may
earn a column or lose it. Leaves to which that happens go through a builder together with `_overflow`, and so do sparse
columns: a small part of all values. Each other column is joined, its dictionaries made one, and put in the order of the
rows by Arrow.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore import limits
from tracestore.arrow_compute import pc
from tracestore.segment.dictionaries import own_dictionaries
from tracestore.segment.tables import SegmentTable
from tracestore.store.segments import row_order
from tracestore.store.segments.cluster_order import clustered
from tracestore.variant import LEAVES, OVERFLOW, Shredder, parse_leaf_name

RowNumbers = npt.NDArray[np.int64]

_INDEXED: Final = pa.dictionary(pa.int32(), pa.string())

# A column of fewer rows than this share of them goes through a builder, which holds values alone: moving it would cost
# as much as moving a full one.
_SPARSE_SHARE: Final = 1 / 8

# Texts that no input has a dictionary of get one if at most this share of the sample, so many from each table, differs.
_DISTINCT_SHARE: Final = 0.9
_SAMPLED_TEXTS: Final = 2048


@dataclass(frozen=True, slots=True)
class Joined:
    """The rows of several tables as one.

    Attributes:
        table: the rows in a segment's order.
        tail: their tail.
        cluster_by: the stored columns that they are sorted by before time.
    """

    table: pa.Table
    tail: pa.Table | None
    cluster_by: tuple[str, ...] = ()


def join_tables(
    tables: Sequence[pa.Table],
    spec: SegmentTable,
    *,
    max_leaf_columns: int = limits.MAX_LEAF_COLUMNS,
    cluster_by: Sequence[str] = (),
    min_cluster_rows: int = limits.MIN_CLUSTER_ROWS,
) -> Joined | None:
    """Returns the rows of all tables in a segment's order and the tail, None where they have no rows.

    Args:
        tables: stored columns of one table of the store, in the order in which their rows came.
        spec: the table.
        max_leaf_columns: of the result.
        cluster_by: columns and paths that rows are sorted by before time.
        min_cluster_rows: where there are fewer rows, they are sorted by time all the same.

    Of rows with one key the last alone is there. Leaf columns are chosen anew by their rows.
    """
    rows = _Rows(tables, spec)
    every = np.arange(rows.count, dtype=np.int64)
    order = row_order.without_repeats(rows, spec, row_order.sorted_rows(rows, spec, every))
    if len(order) == 0:
        return None
    if len(order) < rows.count:
        rows, order = rows.without_others(order)
    by: tuple[str, ...] = ()
    if cluster_by and len(order) >= min_cluster_rows:
        order, by = clustered(rows, spec, cluster_by, order)
    place = None if bool(np.all(order[1:] > order[:-1])) else pa.array(order)
    leaves = _Leaves.of(rows, max_leaf_columns)
    rest, tail = leaves.rest(order)
    columns = {name: rows.column(name, place) for name in spec.columns if name not in spec.derived}
    for name in leaves.columns:
        columns[name] = rest.column(name) if name in leaves.shredded else rows.column(name, place)
    columns[OVERFLOW] = rest.column(OVERFLOW)
    return Joined(pa.table(columns), tail, by)


class _Rows:
    """The rows of tables, numbered one table after the other."""

    def __init__(self, tables: Sequence[pa.Table], spec: SegmentTable) -> None:
        self._tables = tables
        self._spec = spec
        self._ends = np.cumsum([0, *map(len, tables)])
        self.count = int(self._ends[-1])

    def times(self) -> RowNumbers:
        """Returns the time of every row, in nanoseconds."""
        name = self._spec.time_ns_column
        times: RowNumbers = self._chunked(name, pa.int64()).to_numpy()
        return times

    def texts(self, name: str, rows: RowNumbers) -> pa.Array:
        """Returns a fixed column of some rows, without a dictionary."""
        chunks = self._chunks(name, pa.string())
        # Few rows are decoded after they are taken, if all chunks are alike.
        if len(rows) * 2 > self.count or len({chunk.type for chunk in chunks}) > 1:
            chunks = [chunk.cast(pa.string()) for chunk in chunks]
        return _concatenated(chunks).take(pa.array(rows)).cast(pa.string())

    def without_others(self, order: RowNumbers) -> tuple[_Rows, RowNumbers]:
        """Returns the rows that an order names, and their new numbers in that order."""
        kept = np.zeros(self.count, np.bool_)
        kept[order] = True
        tables = [
            own_dictionaries(table.filter(pa.array(part)))
            for table, part in zip(self._tables, np.split(kept, self._ends[1:-1]), strict=True)
        ]
        return _Rows(tables, self._spec), (np.cumsum(kept) - 1)[order]

    def leaf_rows(self) -> dict[str, int]:
        """Returns in how many rows each leaf has a column's value."""
        counts: dict[str, int] = {}
        for table in self._tables:
            for name, column in zip(table.column_names, table.columns, strict=True):
                if name not in self._spec.spec.columns and name != OVERFLOW:
                    counts[name] = counts.get(name, 0) + len(column) - column.null_count
        return counts

    def leaf_names(self) -> list[str]:
        """Returns the names of the leaves that have a column in some table."""
        return list(self.leaf_rows())

    def whole_column(self, name: str) -> pa.Array:
        """Returns a column of all rows; a value in `_overflow` counts as missing."""
        return self.column(name, None)

    def leaves_elsewhere(self) -> set[str]:
        """Returns the leaves that may be in `_overflow`: those without a column in a table that has one of others."""
        leaves = self.leaf_rows().keys()
        elsewhere: set[str] = set()
        for table in self._tables:
            if self._overflow_of(table).null_count < len(table):
                elsewhere |= leaves - set(table.column_names)
        return elsewhere

    def parts(self, names: Collection[str]) -> Iterator[pa.Table]:
        """Yields some leaves and `_overflow` of each table."""
        for table in self._tables:
            chosen = [name for name in table.column_names if name in names]
            rest = self._overflow_of(table)
            yield table.select(chosen).append_column(OVERFLOW, rest)

    def has_overflow(self) -> bool:
        """Returns whether a row has leaves that are no column."""
        return any(self._overflow_of(table).null_count < len(table) for table in self._tables)

    def column(self, name: str, place: pa.Array | None) -> pa.Array:
        """Returns a column of all rows, in another order where one is given."""
        fixed = self._spec.spec.columns
        kind = fixed[name] if name in fixed else LEAVES[parse_leaf_name(name)[1]].arrow
        joined = _concatenated(_alike(self._chunks(name, kind), kind))
        return joined if place is None else joined.take(place)

    def _chunked(self, name: str, kind: pa.DataType) -> pa.ChunkedArray:
        return pa.chunked_array(self._chunks(name, kind), kind)

    def _chunks(self, name: str, kind: pa.DataType) -> list[pa.Array]:
        chunks: list[pa.Array] = []
        for table in self._tables:
            if name in table.column_names:
                chunks += table.column(name).chunks
            else:
                chunks.append(pa.nulls(len(table), kind))
        return chunks

    @staticmethod
    def _overflow_of(table: pa.Table) -> pa.ChunkedArray:
        if OVERFLOW in table.column_names:
            return table.column(OVERFLOW)
        return pa.chunked_array([pa.nulls(len(table), pa.string())])


class _Leaves:
    """The leaf columns of a merge.

    Attributes:
        columns: their names, sorted.
        shredded: leaves whose values go through a builder: sparse ones, and those that have some in `_overflow`.
    """

    def __init__(
        self, columns: list[str], shredded: Collection[str], builder: Shredder | None
    ) -> None:
        self.columns = columns
        self.shredded = shredded
        self._builder = builder

    @classmethod
    def of(cls, rows: _Rows, max_columns: int) -> _Leaves:
        """Returns the leaf columns of rows: the densest, as `Shredder.build` chooses them."""
        needed = max(limits.MIN_LEAF_ROWS, math.ceil(limits.MIN_LEAF_DENSITY * rows.count))
        own = rows.leaf_rows()
        sparse = max(needed, rows.count * _SPARSE_SHARE)
        shredded = {name for name, count in own.items() if count < sparse}
        # One that has a column in a table has no value in that table's `_overflow`.
        shredded |= rows.leaves_elsewhere()
        while True:
            builder = _builder_of(rows, shredded)
            rest = {} if builder is None else _leaf_rows_of(builder)
            counts = {name: count for name, count in own.items() if name not in shredded}
            moved = set(counts)
            for name, count in rest.items():
                counts[name] = counts.get(name, 0) + count
            columns = _densest(counts, needed, max_columns)
            # Those that denser ones leave no room for; and whatever `_overflow` has values of all the same.
            late = moved & rest.keys() | moved.difference(columns)
            if not late:
                return cls(columns, rest.keys(), builder)
            shredded |= late

    def rest(self, order: RowNumbers) -> tuple[pa.Table, pa.Table | None]:
        """Returns the columns of shredded leaves with `_overflow`, and the tail, None where nothing was shredded."""
        if self._builder is None:
            return pa.table({OVERFLOW: pa.nulls(len(order), pa.string())}), None
        # Those that earned a column are the densest of the builder's, too.
        most = sum(name in self.shredded for name in self.columns)
        return self._builder.finish(order=order, tail=True, dictionary=True, leaf_columns=most)


def _builder_of(rows: _Rows, names: Collection[str]) -> Shredder | None:
    """Returns the values of some leaves and of `_overflow`, None where there are none."""
    if not names and not rows.has_overflow():
        return None
    builder = Shredder("json", max_paths=limits.MAX_NODES)
    for part in rows.parts(names):
        builder.append_table(part)
    return builder


def _leaf_rows_of(builder: Shredder) -> dict[str, int]:
    return {f"{path}:{leaf_type}": rows for path, leaf_type, rows in builder.leaf_counts()}


def _densest(counts: Mapping[str, int], needed: int, most: int) -> list[str]:
    """Returns the leaves that earn a column, sorted by name."""
    worth = [(-count, name.encode()) for name, count in counts.items() if count >= needed]
    worth.sort()
    return [name.decode() for name in sorted(name for _, name in worth[:most])]


def _alike(chunks: list[pa.Array], kind: pa.DataType) -> list[pa.Array]:
    """Returns chunks of one type: texts with dictionaries where one has one, or where many repeat."""
    is_text = _item_type(kind) == pa.string()
    if not is_text or not (any(map(_is_indexed, chunks)) or _repeat(chunks)):
        return [chunk if chunk.type == kind else chunk.cast(kind) for chunk in chunks]
    return [_indexed(chunk) for chunk in chunks]


def _item_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_list(kind) else kind


def _is_indexed(chunk: pa.Array) -> bool:
    return bool(pa.types.is_dictionary(_item_type(chunk.type)))


def _repeat(chunks: Sequence[pa.Array]) -> bool:
    """Returns whether texts without dictionaries repeat, as far as some of each chunk tell."""
    samples = [_flat(chunk.slice(0, _SAMPLED_TEXTS)).drop_null() for chunk in chunks]
    sample = pa.chunked_array([part.slice(0, _SAMPLED_TEXTS) for part in samples], pa.string())
    distinct = pc.count_distinct(sample).as_py()
    return bool(distinct <= len(sample) * _DISTINCT_SHARE)


def _flat(chunk: pa.Array) -> pa.Array:
    return chunk.flatten() if pa.types.is_list(chunk.type) else chunk


def _indexed(chunk: pa.Array) -> pa.Array:
    """Returns texts, or lists of texts, with a dictionary."""
    if pa.types.is_list(chunk.type):
        if chunk.type.value_type == _INDEXED:
            return chunk
        offsets = chunk.offsets
        items = chunk.values.slice(offsets[0].as_py(), offsets[-1].as_py() - offsets[0].as_py())
        starts = pa.array(offsets.to_numpy() - offsets[0].as_py())
        mask = chunk.is_null() if chunk.null_count else None
        return pa.ListArray.from_arrays(starts, _indexed(items), mask=mask)
    return chunk if chunk.type == _INDEXED else chunk.cast(pa.string()).dictionary_encode()


def _concatenated(chunks: list[pa.Array]) -> pa.Array:
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
