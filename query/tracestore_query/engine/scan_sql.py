"""Scans as DuckDB text: one `read_parquet` with the schema given, the memtable's batches, and joins with tails.

No footer is opened to bind: the schema comes from the catalog, and a column that a file lacks is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from tracestore.store import SegmentRef
from tracestore.variant import ARROW_OF_LEAF, TABLES, Shredder
from tracestore_query.engine.parquet_sql import (
    SQL_TYPE,
    entry,
    files_text,
    fixed_type,
    read_parquet,
    rows_between,
)
from tracestore_query.engine.patched_sql import (
    MAX_BESIDE,
    OVERFLOW,
    Beside,
    beside,
    joined,
    patched_leaves,
)
from tracestore_query.plan.plan import FoundRows, Leaf, Scan, TailGroup
from tracestore_query.plan.segment_selection import physical
from tracestore_query.tables.names import quoted

SEGMENT_SUFFIX = ".parquet"
TAIL_SUFFIX = ".tail.parquet"

# A tail row's value, as the type its leaf has: lists are JSON text there.
_TAIL_VALUE = {
    "i64": "i64",
    "f64": "f64",
    "bool": "bool",
    "str": "str",
    "bin": "bin",
    "json": "str",
    "i64[]": "from_json(str, '[\"BIGINT\"]')",
    "f64[]": "from_json(str, '[\"DOUBLE\"]')",
    "bool[]": "from_json(str, '[\"BOOLEAN\"]')",
    "str[]": "from_json(str, '[\"VARCHAR\"]')",
    "json[]": "CAST(from_json(str, '[\"JSON\"]') AS VARCHAR[])",
}
_DERIVED = {
    "is_root": "(parent_span_id IS NULL)",
    "end_time": "make_timestamptz((start_ns + duration_ns) // 1000)",
    "duration": "(duration_ns / 1e9)",
}
_NEEDS = {
    "is_root": ("parent_span_id",),
    "end_time": ("start_ns", "duration_ns"),
    "duration": ("duration_ns",),
}


@dataclass(frozen=True, slots=True)
class ScanText:
    """Is a scan as text, and the Arrow tables it names."""

    sql: str
    tables: dict[str, pa.Table]


def scan_text(scan: Scan) -> ScanText:
    """Returns what gives a scan's rows and columns, to stand in FROM."""
    stored = _stored_columns(scan)
    if _is_plain(scan):
        return ScanText(_table_function(scan, stored), {})
    parts: list[str] = []
    tables: dict[str, pa.Table] = {}
    parts += _read_plain(scan, stored, tables)
    parts += [
        _read_with_tail(scan, group, stored, tables)
        for group in scan.tailed
        if group.found is None or group.found.table.num_rows
    ]
    memory = _memory_table(scan, stored)
    if memory is not None:
        name = f"{scan.token}_memory"
        tables[name] = memory
        parts.append(_outer(scan, f'"{name}"', "'' AS __file"))
    if not parts:
        parts.append(_empty(scan, stored))
    return ScanText("(" + " UNION ALL ".join(parts) + ")", tables)


def _is_plain(scan: Scan) -> bool:
    """Tells whether a scan is nothing but files whose columns are wanted as they are: the engine plans it faster."""
    if not scan.plain or scan.tailed or scan.memtable or scan.parts or scan.patched or scan.cuts:
        return False
    return scan.predicate is None and not scan.rows_wanted and not _DERIVED.keys() & scan.fixed


def _table_function(scan: Scan, stored: Sequence[str]) -> str:
    entries = [entry(name, name, fixed_type(scan, name)) for name in stored]
    entries += [
        entry(physical(leaf), column, SQL_TYPE[leaf[1]]) for leaf, column in scan.leaves.items()
    ]
    return files_text(scan.plain, entries)


def newest_rows(source: str) -> str:
    """Returns the SELECT of the times of the rows of datasets that count: of each id the newest, if it is there."""
    return (
        f"SELECT max(created_ns) AS created_ns FROM {source} GROUP BY id "
        "HAVING arg_max(coalesce(deleted, 0), created_ns) = 0"
    )


def among(column: str, table: str) -> str:
    """Returns that a column's value is among those of the column of that name in a table."""
    return f'{column} IN (SELECT {column} FROM "{table}")'


def _stored_columns(scan: Scan) -> list[str]:
    """Returns the stored columns that a scan's fixed ones and its predicate are made of."""
    wanted: dict[str, None] = {}
    for name in scan.fixed:
        for needed in _NEEDS.get(name, (name,)):
            wanted[needed] = None
    if scan.predicate is not None:
        wanted |= dict.fromkeys(scan.judged)
    return list(wanted)


def _read_plain(scan: Scan, stored: Sequence[str], tables: dict[str, pa.Table]) -> list[str]:
    """Returns the reads of segments without tails: those read whole together, then ends, then those with patches."""
    patched = [segment for segment in scan.plain if segment.uri in scan.patched]
    others = [segment for segment in scan.plain if segment.uri not in scan.patched]
    whole = [segment for segment in others if segment.uri not in scan.cuts]
    sources = []
    if whole:
        sources.append(f"({read_parquet(scan, whole, stored, scan.rows_wanted)})")
    for segment in others:
        if segment.uri in scan.cuts:
            rows = rows_between(*scan.cuts[segment.uri])
            sources.append(f"({read_parquet(scan, (segment,), stored, places=True)} WHERE {rows})")
    names = {leaf: physical(leaf) for leaf in (*scan.leaves, *scan.parts)}
    for segment in patched[:MAX_BESIDE]:
        found = beside(scan, segment, stored, names)
        if found is None:
            sources.append(_read_joined(scan, (segment,), stored, tables))
        else:
            sources.append(_read_beside(scan, segment, stored, found, tables))
    if patched[MAX_BESIDE:]:
        sources.append(_read_joined(scan, patched[MAX_BESIDE:], stored, tables))
    return [_outer(scan, source, _PLACE) for source in sources]


def _read_joined(
    scan: Scan, segments: Sequence[SegmentRef], stored: Sequence[str], tables: dict[str, pa.Table]
) -> str:
    base = f"({read_parquet(scan, segments, stored, places=True)})"
    return joined(scan, segments, base, _patched_columns(scan, stored), tables)


def _read_beside(
    scan: Scan,
    segment: SegmentRef,
    stored: Sequence[str],
    found: Beside,
    tables: dict[str, pa.Table],
) -> str:
    """Returns a source of one segment's rows: columns of its file, and others beside them."""
    every = {*scan.leaves.values(), *scan.parts.values()}
    if not found.columns:
        return f"({read_parquet(scan, (segment,), stored, scan.rows_wanted)})"
    name = f"{scan.token}_patched{len(tables)}"
    tables[name] = pa.table(found.columns)
    if not stored and not scan.rows_wanted and every == found.columns.keys():
        return f'"{name}"'
    places = scan.rows_wanted or found.rows is not None
    base = read_parquet(scan, (segment,), stored, places, found.columns.keys())
    if found.rows is not None:
        # The same rows of the file, in their order: segments are sorted by time.
        base += f" WHERE {rows_between(*found.rows)}"
    return f'(SELECT * FROM ({base}) POSITIONAL JOIN "{name}")'


def _patched_columns(scan: Scan, stored: Sequence[str]) -> list[tuple[str, str, pa.DataType]]:
    """Returns (column, physical name, type) of what patches may change in a scan."""
    found = [
        (column, physical(leaf), ARROW_OF_LEAF[leaf[1]]) for leaf, column in patched_leaves(scan)
    ]
    if OVERFLOW in stored:
        found.append((OVERFLOW, OVERFLOW, pa.string()))
    return found


def tail_rows(scan: Scan, group: TailGroup, path: str, limit: int) -> str:
    """Returns the SELECT of a path's rows in the sidecars of a group: segment, row number and values."""
    leaves = [(leaf[1], scan.leaves[leaf]) for leaf in group.leaves if leaf[0] == path]
    return f"{_sidecar(group, path, leaves)} LIMIT {limit}"


def _read_with_tail(
    scan: Scan, group: TailGroup, stored: Sequence[str], tables: dict[str, pa.Table]
) -> str:
    """Joins each wanted path with its rows of the sidecars; a sidecar is named after its segment."""
    by_path: dict[str, list[tuple[str, str]]] = {}
    for leaf in group.leaves:
        by_path.setdefault(leaf[0], []).append((leaf[1], scan.leaves[leaf]))
    if group.found is not None and not stored and not scan.parts and len(by_path) == 1:
        alone = {leaf for leaf in scan.leaves if leaf[0] != group.found.path}
        if not alone:
            return _outer(scan, _found_alone(scan, group.found, tables), _PLACE)
    base = _base(scan, group, stored)
    joins = []
    replaced = []
    for i, (path, columns) in enumerate(by_path.items()):
        tail = f"__tail{i}"
        if group.found is not None and group.found.path == path:
            source = f"{scan.token}_tail{len(tables)}"
            tables[source] = group.found.table
            rows = f'SELECT * FROM "{source}"'
        else:
            rows = _sidecar(group, path, columns)
        # A row that must have the path is found by its tail, the others keep their rows.
        kind = "INNER" if path in group.needed else "LEFT"
        joins.append(
            f"{kind} JOIN ({rows}) {tail} "
            f"ON {tail}.file = base.filename AND {tail}.row = base.file_row_number"
        )
        replaced += [f'{tail}."{column}" AS "{column}"' for _, column in columns]
    source = f"(SELECT base.* REPLACE ({', '.join(replaced)}) FROM ({base}) base {' '.join(joins)})"
    source = joined(scan, group.segments, source, _patched_columns(scan, stored), tables)
    return _outer(scan, source, _PLACE)


_PLACE = "filename AS __file, file_row_number AS __row"


def _found_alone(scan: Scan, found: FoundRows, tables: dict[str, pa.Table]) -> str:
    """Returns rows of a tail path whose segments have nothing else to tell."""
    source = f"{scan.token}_tail{len(tables)}"
    tables[source] = found.table
    held = set(found.table.column_names)
    columns = ["file AS filename", "row AS file_row_number"]
    for leaf, column in scan.leaves.items():
        columns.append(
            f'"{column}"' if column in held else f'CAST(NULL AS {SQL_TYPE[leaf[1]]}) AS "{column}"'
        )
    return f'(SELECT {", ".join(columns)} FROM "{source}")'


def _base(scan: Scan, group: TailGroup, stored: Sequence[str]) -> str:
    """Returns the rows of a group's segments; where those wanted are known, only these."""
    if group.found is None:
        return read_parquet(scan, group.segments, stored, places=True)
    table = group.found.table
    by_file: dict[str, list[str]] = {}
    for file, row in zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True):
        by_file.setdefault(file, []).append(str(row))
    # Row numbers as literals reach the reader, which skips all other rows; a join's do not.
    return " UNION ALL ".join(
        f"{read_parquet(scan, (segment,), stored, places=True)} "
        f"WHERE file_row_number IN ({', '.join(by_file[segment.uri])})"
        for segment in group.segments
        if segment.uri in by_file
    )


def _sidecar(group: TailGroup, path: str, columns: Sequence[tuple[str, str]]) -> str:
    files = ", ".join(quoted(each.tail_uri) for each in group.segments if each.tail_uri)
    wanted = ", ".join(
        f'CASE WHEN type = {quoted(leaf_type)} THEN {_TAIL_VALUE[leaf_type]} END AS "{column}"'
        for leaf_type, column in columns
    )
    types = ", ".join(quoted(leaf_type) for leaf_type, _ in columns)
    return (
        f"SELECT {_segment_of_tail(group.segments)} AS file, row, {wanted} "
        f"FROM read_parquet([{files}], filename=true) "
        f"WHERE path = {quoted(path)} AND type IN ({types})"
    )


def _segment_of_tail(segments: Sequence[SegmentRef]) -> str:
    """Returns the segment's file as an expression over a sidecar's `filename`."""
    pairs = [(segment.tail_uri, segment.uri) for segment in segments if segment.tail_uri]
    if all(tail == uri.removesuffix(SEGMENT_SUFFIX) + TAIL_SUFFIX for tail, uri in pairs):
        return f"replace(filename, {quoted(TAIL_SUFFIX)}, {quoted(SEGMENT_SUFFIX)})"
    listed = ", ".join(f"{quoted(str(tail))}: {quoted(uri)}" for tail, uri in pairs)
    return f"MAP {{{listed}}}[filename]"


def _outer(scan: Scan, source: str, place: str) -> str:
    """Returns the scan's columns over a source of stored columns."""
    columns = [f'{_DERIVED.get(name, name)} AS "{name}"' for name in scan.fixed]
    columns += [f'"{column}"' for column in (*scan.leaves.values(), *scan.parts.values())]
    if scan.rows_wanted:
        columns.append("struct_pack(file := __file, row := __row) AS __place")
        source = f"(SELECT *, {place} FROM {source})"
    if not columns:
        columns.append("1 AS __one")
    where = f" WHERE {scan.predicate}" if scan.predicate else ""
    return f"SELECT {', '.join(columns)} FROM {source}{where}"


def _empty(scan: Scan, stored: Sequence[str]) -> str:
    columns = [f'CAST(NULL AS {fixed_type(scan, name)}) AS "{name}"' for name in stored]
    leaves = (*scan.leaves.items(), *scan.parts.items())
    columns += [
        f'CAST(NULL AS {SQL_TYPE[leaf_type]}) AS "{name}"' for (_, leaf_type), name in leaves
    ]
    columns.append("0::BIGINT AS __row")
    return _outer(scan, f"(SELECT {', '.join(columns)} WHERE false)", "'' AS __file")


def _memory_table(scan: Scan, stored: Sequence[str]) -> pa.Table | None:
    """Returns the memtable's rows with the scan's columns, and their numbers as `__row`."""
    if not scan.memtable:
        return None
    chunks: list[pa.Table] = []
    first = 0
    for chunk in scan.memtable:
        held = set(chunk.column_names)
        arrays: dict[str, pa.ChunkedArray | pa.Array] = {
            name: chunk.column(name) for name in stored
        }
        absent = {leaf for leaf in scan.leaves if physical(leaf) not in held}
        spilled = _spilled(chunk, absent, scan.table) if absent else {}
        for leaf, column in (*scan.leaves.items(), *scan.parts.items()):
            want = ARROW_OF_LEAF[leaf[1]]
            if physical(leaf) in held:
                found = chunk.column(physical(leaf))
                arrays[column] = found if found.type == want else found.cast(want)
            elif column in scan.leaves.values() and leaf in spilled:
                arrays[column] = spilled[leaf]
            else:
                arrays[column] = pa.nulls(chunk.num_rows, want)
        arrays["__row"] = pa.array(range(first, first + chunk.num_rows), pa.int64())
        first += chunk.num_rows
        chunks.append(pa.table(arrays))
    return pa.concat_tables(chunks)


def _spilled(chunk: pa.Table, leaves: set[Leaf], table: str) -> dict[Leaf, pa.ChunkedArray]:
    """Returns wanted leaves that an export left in `_overflow`; only a memtable of very many paths has any."""
    overflow = chunk.column("_overflow")
    if overflow.null_count == len(overflow):
        return {}
    shredder = Shredder(table, min_leaf_rows=1, min_leaf_density=0.0, max_leaf_columns=2**31)
    shredder.append_table(chunk.select([*TABLES[table].columns, "_overflow"]))
    whole = shredder.finish()
    held = set(whole.column_names)
    return {leaf: whole.column(physical(leaf)) for leaf in leaves if physical(leaf) in held}
