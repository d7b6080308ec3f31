"""Objects of a result, rebuilt for the rows returned: their leaves are read at their places and unshredded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tracestore.errors import CorruptionError
from tracestore.variant import TABLES, parse_leaf_name, unshred_values
from tracestore_query.plan import Rebuilt, Scan

OVERFLOW = "_overflow"


GROUPS = 4
GROUP_BYTES = 128 * 1024 * 1024
"""Row groups kept from one batch of an answer to the next, and their bytes: rows mostly come in the order of files."""


class RowGroups:
    """Holds the row groups that an answer read last. Not thread-safe."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int, tuple[str, ...]], pa.Table] = {}

    def read(self, file: str, parquet: pq.ParquetFile, group: int, columns: list[str]) -> pa.Table:
        """Returns a row group's columns."""
        key = (file, group, tuple(columns))
        table = self._held.pop(key, None)
        if table is None:
            table = parquet.read_row_group(group, columns=columns)
        while self._held and (
            len(self._held) >= GROUPS
            or table.nbytes + sum(each.nbytes for each in self._held.values()) > GROUP_BYTES
        ):
            del self._held[next(iter(self._held))]
        self._held[key] = table
        return table


def rebuild(batch: pa.Table, rebuilt: Sequence[Rebuilt], groups: RowGroups) -> pa.Table:
    """Returns a batch of a result with its places replaced by the JSON of their objects."""
    for wanted in _by_scan(rebuilt).values():
        places = batch.column(wanted[0].output).combine_chunks()
        texts = _values(places, wanted[0].scan, [each.path for each in wanted], groups)
        for each, values in zip(wanted, texts, strict=True):
            name = batch.schema.field(each.output).name
            batch = batch.set_column(
                each.output,
                pa.field(name, pa.string(), metadata={"tracestore.type": "JSON"}),
                values,
            )
    return batch


def _by_scan(rebuilt: Sequence[Rebuilt]) -> dict[str, list[Rebuilt]]:
    found: dict[str, list[Rebuilt]] = {}
    for each in rebuilt:
        found.setdefault(each.scan.token, []).append(each)
    return found


def _values(
    places: pa.StructArray, scan: Scan, paths: Sequence[tuple[str, ...]], groups: RowGroups
) -> list[pa.Array]:
    """Returns, for each path, the JSON at every place, in the places' order."""
    files = pc.struct_field(places, "file")
    rows = pc.struct_field(places, "row")
    valid = places.is_valid().to_numpy(zero_copy_only=False)
    pieces: list[list[pa.Array]] = [[] for _ in paths]
    order: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    named = files.to_pylist()
    for file in dict.fromkeys(name for name, ok in zip(named, valid, strict=True) if ok):
        at = np.array([i for i, name in enumerate(named) if valid[i] and name == file], np.int64)
        numbers = rows.take(pa.array(at)).to_numpy(zero_copy_only=False)
        table = (
            _memory_rows(scan, numbers, paths)
            if file == ""
            else _file_rows(str(file), numbers, paths, groups)
        )
        for piece, path in zip(pieces, paths, strict=True):
            piece.append(_without_null(unshred_values(table, path)))
        order.append(at)
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


def _without_null(texts: pa.Array) -> pa.Array:
    """Returns JSON texts with NULL for null: `path IS NULL` is true of both."""
    return pc.if_else(pc.equal(texts, "null"), pa.scalar(None, pa.string()), texts)


def _wanted_columns(
    names: Sequence[str], fixed: Mapping[str, object], paths: Sequence[tuple[str, ...]]
) -> list[str]:
    """Returns the leaf columns at or below any of the paths, and `_overflow`."""
    wanted = []
    for name in names:
        if name == OVERFLOW:
            wanted.append(name)
        elif name not in fixed:
            keys = tuple(parse_leaf_name(name)[0])
            if any(keys[: len(path)] == path for path in paths):
                wanted.append(name)
    return wanted


def _memory_rows(
    scan: Scan,
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]],
    paths: Sequence[tuple[str, ...]],
) -> pa.Table:
    first = 0
    parts: list[pa.Table] = []
    order: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    for chunk in scan.memtable:
        at = np.flatnonzero((numbers >= first) & (numbers < first + chunk.num_rows))
        if len(at):
            columns = _wanted_columns(chunk.column_names, TABLES[scan.table].columns, paths)
            parts.append(chunk.select(columns).take(pa.array(numbers[at] - first)))
            order.append(at)
        first += chunk.num_rows
    table = pa.concat_tables(parts, promote_options="default")
    return table.take(pa.array(np.argsort(np.concatenate(order))))


def _file_rows(
    file: str,
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]],
    paths: Sequence[tuple[str, ...]],
    held: RowGroups,
) -> pa.Table:
    """Returns rows of a segment by number; only the row groups that hold one are read."""
    try:
        with pq.ParquetFile(file) as parquet:
            columns = _wanted_columns(parquet.schema_arrow.names, _ALL_FIXED, paths)
            starts = np.cumsum(
                [
                    0,
                    *(
                        parquet.metadata.row_group(i).num_rows
                        for i in range(parquet.num_row_groups)
                    ),
                ]
            )
            groups = np.searchsorted(starts, numbers, side="right") - 1
            parts: list[pa.Table] = []
            order: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
            for group in np.unique(groups):
                at = np.flatnonzero(groups == group)
                read = held.read(file, parquet, int(group), columns)
                parts.append(_rows(read, numbers[at] - starts[group]))
                order.append(at)
    except (OSError, pa.ArrowException) as error:
        raise CorruptionError(Path(file).name, f"cannot read rows: {error}") from error
    if len(parts) == 1:
        return parts[0]
    table = pa.concat_tables(parts)
    return table.take(pa.array(np.argsort(np.concatenate(order))))


def _rows(table: pa.Table, numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Table:
    """Returns rows by number; those that follow one another are not copied."""
    if len(numbers) and bool(np.all(np.diff(numbers) == 1)):
        return table.slice(int(numbers[0]), len(numbers))
    return table.take(pa.array(numbers))


_ALL_FIXED: dict[str, object] = {name: None for spec in TABLES.values() for name in spec.columns}
