"""Objects of a result, rebuilt for the rows returned: their leaves are read at their places and unshredded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.store import SegmentRef, put_back
from tracestore.variant import OVERFLOW, TABLES, parse_leaf_name
from tracestore.variant.moved import ATTRIBUTES
from tracestore.variant.moved import COLUMN as MOVED_ATTRIBUTES
from tracestore.variant.moved import COLUMNS as MOVED_COLUMNS
from tracestore_query.engine.objects import unshredded, with_moved
from tracestore_query.execute.file_rows import FileRows, Numbers
from tracestore_query.plan.plan import Plan, Rebuilt
from tracestore_query.plan.scan_plan import ScanPlan

SPANS = TABLES["spans"]


class Rebuilder:
    """The objects of one answer, rebuilt a batch at a time. Not thread-safe.

    Args:
        plan: the query's plan; its rebuilt columns hold ids of rows.
        files: reads rows of segments.
    """

    def __init__(self, plan: Plan, files: FileRows) -> None:
        self._files = files
        self._scans = plan.scans
        self._by_scan: dict[str, list[Rebuilt]] = {}
        for rebuilt in plan.query.rebuilt:
            self._by_scan.setdefault(rebuilt.token, []).append(rebuilt)
        self._segments: dict[str, SegmentRef] = {}

    def rebuild(self, batch: pa.Table) -> pa.Table:
        """Returns a batch of a result with its row ids replaced by the JSON of their objects."""
        for token, columns in self._by_scan.items():
            row_ids = batch.column(columns[0].output).combine_chunks()
            texts = self._values(row_ids, self._scans[token], [column.path for column in columns])
            for column, values in zip(columns, texts, strict=True):
                name = batch.schema.field(column.output).name
                batch = batch.set_column(
                    column.output,
                    pa.field(name, pa.string(), metadata={"tracestore.type": "JSON"}),
                    values,
                )
        return batch

    def _values(
        self, row_ids: pa.StructArray, plan: ScanPlan, paths: Sequence[tuple[str, ...]]
    ) -> list[pa.Array]:
        """Returns, for each path, the JSON in every row, in the order of the ids."""
        files = pc.struct_field(row_ids, "file")
        rows = pc.struct_field(row_ids, "row")
        valid = row_ids.is_valid().to_numpy(zero_copy_only=False)
        pieces: list[list[pa.Array]] = [[] for _ in paths]
        order: list[Numbers] = []
        named = files.to_pylist()
        for file in dict.fromkeys(name for name, ok in zip(named, valid, strict=True) if ok):
            at = np.array(
                [i for i, name in enumerate(named) if valid[i] and name == file], np.int64
            )
            numbers = rows.take(pa.array(at)).to_numpy(zero_copy_only=False)
            if file == "":
                table = _memory_rows(plan, numbers, paths)
            elif plan.scan.carried:
                carried = row_ids.take(pa.array(at))
                table = _carried_rows(carried, self._segment(str(file), plan), plan, paths)
            else:
                table = self._file_rows(str(file), numbers, plan, paths)
            for part, those in _by_patches(table, numbers, plan, str(file)):
                for piece, path in zip(pieces, paths, strict=True):
                    values = unshredded(part, path)
                    if path == (ATTRIBUTES,) and MOVED_ATTRIBUTES in part.column_names:
                        values = with_moved(values, part)
                    piece.append(_without_null(values))
                order.append(at[those])
        missing = np.flatnonzero(~valid)
        if len(missing):
            order.append(missing)
            for piece in pieces:
                piece.append(pa.nulls(len(missing), pa.string()))
        back = pa.array(np.argsort(np.concatenate(order)) if order else np.array([], np.int64))
        return [
            pa.concat_arrays(piece).take(back) if piece else pa.array([], pa.string())
            for piece in pieces
        ]

    def _file_rows(
        self, file: str, numbers: Numbers, plan: ScanPlan, paths: Sequence[tuple[str, ...]]
    ) -> pa.Table:
        columns = file_columns(self._segment(file, plan), paths)
        return self._files.read(file, numbers, columns)

    def _segment(self, file: str, plan: ScanPlan) -> SegmentRef:
        segment = self._segments.get(file)
        if segment is None:
            self._segments |= {each.uri: each for each in plan.segments}
            segment = self._segments[file]
        return segment


def file_columns(segment: SegmentRef, paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Returns the columns of a segment's file that its objects at some paths are made of."""
    # Sorted, as a file's own columns are: one order whatever read them.
    names = sorted(segment.leaf_columns)
    if segment.table == SPANS.name:
        names.append(MOVED_ATTRIBUTES)
    return [*_wanted_columns(names, _ALL_FIXED, paths), OVERFLOW]


def _carried_rows(
    row_ids: pa.StructArray, segment: SegmentRef, plan: ScanPlan, paths: Sequence[tuple[str, ...]]
) -> pa.Table:
    """Returns the columns of a segment's rows that came with their ids."""
    carried = plan.scan.carried
    names = file_columns(segment, paths)
    return pa.table({name: pc.struct_field(row_ids, carried[name]) for name in names})


def _by_patches(
    table: pa.Table, numbers: Numbers, plan: ScanPlan, file: str
) -> Iterator[tuple[pa.Table, Numbers]]:
    """Yields unpatched rows and their positions, then patched ones, whose leaves come from the overlay."""
    every = np.arange(len(numbers))
    patched = plan.patched.get(file)
    if patched is None:
        yield table, every
        return
    rows = patched.overlay.rows
    place = np.minimum(np.searchsorted(rows, numbers), len(rows) - 1)
    changed = rows[place] == numbers
    if not changed.all():
        yield table.filter(pa.array(~changed)), every[~changed]
    if changed.any():
        new = patched.overlay.table.take(pa.array(place[changed]))
        old = table.filter(pa.array(changed))
        yield put_back(old, np.arange(len(old)), new, plan.patched_fields), every[changed]


def _without_null(texts: pa.Array) -> pa.Array:
    """Returns JSON texts with NULL for null: `path IS NULL` is true of both."""
    return pc.if_else(pc.equal(texts, "null"), pa.scalar(None, pa.string()), texts)


def _wanted_columns(
    names: Sequence[str], fixed: Mapping[str, object], paths: Sequence[tuple[str, ...]]
) -> list[str]:
    """Returns the leaf columns at or below any of the paths, and `_overflow`.

    Attributes want the columns that some of them moved to as well.
    """
    wanted = []
    if (ATTRIBUTES,) in paths and MOVED_ATTRIBUTES in names:
        paths = [*paths, *((column,) for column in MOVED_COLUMNS)]
        wanted.append(MOVED_ATTRIBUTES)
    for name in names:
        if name == OVERFLOW:
            wanted.append(name)
        elif name not in fixed:
            keys = tuple(parse_leaf_name(name)[0])
            if any(keys[: len(path)] == path for path in paths):
                wanted.append(name)
    return wanted


def _memory_rows(
    plan: ScanPlan,
    numbers: Numbers,
    paths: Sequence[tuple[str, ...]],
) -> pa.Table:
    first = 0
    parts: list[pa.Table] = []
    order: list[Numbers] = []
    for chunk in plan.memtable:
        at = np.flatnonzero((numbers >= first) & (numbers < first + chunk.num_rows))
        if len(at):
            columns = _wanted_columns(chunk.column_names, TABLES[plan.scan.table].columns, paths)
            parts.append(chunk.select(columns).take(pa.array(numbers[at] - first)))
            order.append(at)
        first += chunk.num_rows
    table = pa.concat_tables(parts, promote_options="default")
    return table.take(pa.array(np.argsort(np.concatenate(order))))


_ALL_FIXED: dict[str, object] = {name: None for spec in TABLES.values() for name in spec.columns}
