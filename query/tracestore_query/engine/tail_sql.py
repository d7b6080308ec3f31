"""Tails of segments as DuckDB text: the rows of a path in the sidecar files, joined to the rows of the segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from tracestore.store import RowNumbers, SegmentRef
from tracestore.variant import LEAVES
from tracestore_query.engine.parquet_sql import read_parquet, read_with_word_rows
from tracestore_query.plan.scan import Scan
from tracestore_query.plan.scan_plan import TailGroup, TailRows
from tracestore_query.tables.names import quoted

SEGMENT_SUFFIX: Final = ".parquet"
TAIL_SUFFIX: Final = ".tail"

MAX_TAIL_JOINS: Final = 8
"""Joins with paths of a tail that rows may lack. The engine plans joins in more than the square of their number: 500
took it over a minute. Up to so many paths are joined each on its own, which reads no row of another path."""


def tail_rows_sql(scan: Scan, group: TailGroup, path: str, limit: int) -> str:
    """Returns the SELECT of a path's rows in the sidecars of a group: segment, row number and values."""
    columns = [(leaf[1], scan.leaves[leaf]) for leaf in group.leaves if leaf[0] == path]
    return f"{_sidecar(group, path, columns)} LIMIT {limit}"


def with_tail(
    scan: Scan,
    group: TailGroup,
    stored: Sequence[str],
    word_rows: Mapping[str, RowNumbers],
    tables: dict[str, pa.Table],
) -> str:
    """Returns a source of a group's rows: each path of the tail is joined with its rows of the sidecars.

    Args:
        scan: the scan.
        group: segments with tails.
        stored: stored columns to read.
        word_rows: by file, the rows of segments of which not all are read.
        tables: takes the tables that the text names.
    """
    joins = []
    replaced = []
    for i, paths in enumerate(_joined_paths(scan, group)):
        tail = f"__tail{i}"
        (path, *others) = paths
        if group.rows is not None and group.rows.path == path:
            rows = f'SELECT * FROM "{_named(scan, group.rows, tables)}"'
        elif others:
            rows = _sidecar_of_many(group, paths)
        else:
            rows = _sidecar(group, path, paths[path])
        # A row that must have the path is found by its tail, the others keep their rows.
        kind = "INNER" if path in group.non_null_paths else "LEFT"
        joins.append(
            f"{kind} JOIN ({rows}) {tail} "
            f"ON {tail}.file = base.filename AND {tail}.row = base.file_row_number"
        )
        columns = [column for held in paths.values() for _, column in held]
        replaced += [f'{tail}."{column}" AS "{column}"' for column in columns]
    base = _base(scan, group, stored, word_rows, tables)
    return f"(SELECT base.* REPLACE ({', '.join(replaced)}) FROM ({base}) base {' '.join(joins)})"


def path_alone(scan: Scan, group: TailGroup, stored: Sequence[str]) -> str | None:
    """Returns the path in a group's tails without which no row matches, where the query reads nothing else."""
    paths = {path for path, _ in scan.leaves}
    (path,) = paths if len(paths) == 1 else ("",)
    read = stored or scan.object_parts or scan.carried
    is_alone = not read and path in group.non_null_paths
    return path if is_alone else None


def tail_rows_alone(
    scan: Scan, group: TailGroup, stored: Sequence[str], tables: dict[str, pa.Table]
) -> str | None:
    """Returns a source of a path's rows without those of the segments, None where the query reads more than the path.

    These are the rows that were looked up, else those in the sidecars: every row that can match is among them.
    """
    path = path_alone(scan, group, stored)
    if path is None:
        return None
    if group.rows is not None and group.rows.path == path:
        source = f'"{_named(scan, group.rows, tables)}"'
    else:
        source = f"({_sidecar(group, path, _by_path(scan, group)[path])})"
    in_tail = set(group.leaves)
    columns = ["file AS filename", "row AS file_row_number"]
    for leaf, column in scan.leaves.items():
        absent = f'CAST(NULL AS {LEAVES[leaf[1]].sql}) AS "{column}"'
        columns.append(f'"{column}"' if leaf in in_tail else absent)
    return f"(SELECT {', '.join(columns)} FROM {source})"


def _named(scan: Scan, rows: TailRows, tables: dict[str, pa.Table]) -> str:
    name = f"{scan.token}_tail{len(tables)}"
    tables[name] = rows.table
    return name


def _by_path(scan: Scan, group: TailGroup) -> dict[str, list[tuple[str, str]]]:
    """Returns the leaf types and columns of each path of a group's tails."""
    by_path: dict[str, list[tuple[str, str]]] = {}
    for leaf in group.leaves:
        path, leaf_type = leaf
        by_path.setdefault(path, []).append((leaf_type, scan.leaves[leaf]))
    return by_path


def _joined_paths(scan: Scan, group: TailGroup) -> list[dict[str, list[tuple[str, str]]]]:
    """Returns the paths that are joined together, with their columns: the time of planning grows with the joins."""
    found: list[dict[str, list[tuple[str, str]]]] = []
    others: dict[str, list[tuple[str, str]]] = {}
    for path, columns in _by_path(scan, group).items():
        is_looked_up = group.rows is not None and group.rows.path == path
        if is_looked_up or path in group.non_null_paths:
            found.append({path: columns})
        else:
            others[path] = columns
    size = -(-len(others) // MAX_TAIL_JOINS)
    rest = list(others.items())
    return found + [dict(rest[at : at + size]) for at in range(0, len(rest), size or 1)]


def _base(
    scan: Scan,
    group: TailGroup,
    stored: Sequence[str],
    word_rows: Mapping[str, RowNumbers],
    tables: dict[str, pa.Table],
) -> str:
    """Returns the rows of a group's segments; where rows were looked up, only these."""
    if group.rows is None:
        return read_with_word_rows(scan, group.segments, stored, word_rows, tables)
    table = group.rows.table
    by_file: dict[str, list[str]] = {}
    for file, row in zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True):
        by_file.setdefault(file, []).append(str(row))
    # Row numbers as literals reach the reader, which skips all other rows; a join's do not.
    return " UNION ALL ".join(
        f"{read_parquet(scan, (segment,), stored, row_ids=True)} "
        f"WHERE file_row_number IN ({', '.join(by_file[segment.uri])})"
        for segment in group.segments
        if segment.uri in by_file
    )


def _sidecar(group: TailGroup, path: str, columns: Sequence[tuple[str, str]]) -> str:
    """Returns the SELECT of a path's rows in the sidecars, with a column for each (leaf type, name)."""
    files = ", ".join(quoted(each.tail_uri) for each in group.segments if each.tail_uri)
    values = ", ".join(
        f'CASE WHEN type = {quoted(leaf_type)} THEN {_tail_value(leaf_type)} END AS "{column}"'
        for leaf_type, column in columns
    )
    types = ", ".join(quoted(leaf_type) for leaf_type, _ in columns)
    return (
        f"SELECT {_segment_of_tail(group.segments)} AS file, row, {values} "
        f"FROM read_parquet([{files}], filename=true) "
        f"WHERE path = {quoted(path)} AND type IN ({types})"
    )


def _sidecar_of_many(group: TailGroup, paths: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Returns the SELECT of the rows of several paths in the sidecars, one for each row of a segment."""
    files = ", ".join(quoted(each.tail_uri) for each in group.segments if each.tail_uri)
    values = ", ".join(
        f"any_value(CASE WHEN path = {quoted(path)} AND type = {quoted(leaf_type)} "
        f'THEN {_tail_value(leaf_type)} END) AS "{column}"'
        for path, columns in paths.items()
        for leaf_type, column in columns
    )
    return (
        f"SELECT {_segment_of_tail(group.segments)} AS file, row, {values} "
        f"FROM read_parquet([{files}], filename=true) "
        f"WHERE path IN ({', '.join(map(quoted, paths))}) GROUP BY filename, row"
    )


def _segment_of_tail(segments: Sequence[SegmentRef]) -> str:
    """Returns the segment's file as an expression over a sidecar's `filename`."""
    pairs = [(segment.tail_uri, segment.uri) for segment in segments if segment.tail_uri]
    if all(tail == uri.removesuffix(SEGMENT_SUFFIX) + TAIL_SUFFIX for tail, uri in pairs):
        return f"regexp_replace(filename, '[.]tail$', {quoted(SEGMENT_SUFFIX)})"
    listed = ", ".join(f"{quoted(str(tail))}: {quoted(uri)}" for tail, uri in pairs)
    return f"MAP {{{listed}}}[filename]"


def _tail_value(leaf_type: str) -> str:
    """Returns a tail row's value in the type of its leaf; lists are JSON text there."""
    leaf = LEAVES[leaf_type]
    if leaf.item is None:
        return leaf.tail_column
    if leaf.item == "json":
        return f"CAST(from_json({leaf.tail_column}, '[\"JSON\"]') AS {leaf.sql})"
    return f"from_json({leaf.tail_column}, '[\"{LEAVES[leaf.item].sql}\"]')"
