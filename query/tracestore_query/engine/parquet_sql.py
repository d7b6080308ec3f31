"""Files of segments as DuckDB text: `read_parquet` with the schema given, so that no footer is opened to bind."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from tracestore.store import RowNumbers, SegmentRef
from tracestore.variant import LEAVES, OVERFLOW, TABLES
from tracestore_query.plan.scan import Leaf, Scan, leaf_column_name
from tracestore_query.tables.names import quoted

_FIXED_TYPE = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
}

MAX_APART: Final = 32
"""Segments of one scan that are read on their own, each by its row numbers alone: each is a reader of the engine."""


def fixed_type(scan: Scan, name: str) -> str:
    """Returns the engine's type of a fixed column of a scan's table."""
    if name == OVERFLOW:
        return "VARCHAR"
    arrow_type = TABLES[scan.table].columns[name]
    return _FIXED_TYPE.get(arrow_type, "TIMESTAMPTZ")


def entry(physical: str, name: str, sql_type: str) -> str:
    """Returns an item of a reader's schema: a column of the files, its name in the query and its type there."""
    return f"{quoted(physical)}: {{name: {quoted(name)}, type: {quoted(sql_type)}, default_value: NULL}}"


def files_list(segments: Sequence[SegmentRef]) -> str:
    """Returns the list of the files of segments."""
    files = "', '".join([segment.uri for segment in segments])
    if files.count("'") > 2 * max(len(segments) - 1, 0):
        files = "', '".join([segment.uri.replace("'", "''") for segment in segments])
    return f"['{files}']"


def named_list(name: str) -> str:
    """Returns the list of one name, which stands for the files of many segments while a text is checked."""
    return f"[{quoted(name)}]"


def files_text(files: str, entries: Sequence[str], options: str = "") -> str:
    """Returns the call that reads a list of files by a schema."""
    # count(*) reads no column; the schema may not be empty.
    listed = ", ".join(entries) or entry("project", "project", "VARCHAR")
    return f"read_parquet({files}, schema=MAP {{{listed}}}{options})"


def read_parquet(
    scan: Scan,
    segments: Sequence[SegmentRef],
    stored: Iterable[str],
    row_ids: bool,
    without: Collection[str] = (),
    files: str | None = None,
) -> str:
    """Returns a SELECT of stored columns and leaves over the files; with `row_ids`, of each row's file and number.

    Columns of leaves that are named in `without` are left out; `files` stands for the list of the files. A list that is
    read beside item columns is NULL in segments that have these: each kind of segments is read on its own.
    """
    with_items = [each for each in segments if _has_items(scan, each)] if scan.item_lists else []
    if with_items:
        others = [each for each in segments if not _has_items(scan, each)]
        without_lists = {scan.leaves[leaf] for leaf in scan.item_lists.values()}
        parts = [_read(scan, with_items, stored, row_ids, without, None, without_lists)]
        if others:
            parts.append(_read(scan, others, stored, row_ids, without, None))
        return " UNION ALL ".join(parts)
    return _read(scan, segments, stored, row_ids, without, files)


def _has_items(scan: Scan, segment: SegmentRef) -> bool:
    """Returns whether a segment has all item columns of a scan that lists are read beside."""
    return all(leaf_column_name(leaf) in segment.item_columns for leaf in scan.item_lists)


def _read(
    scan: Scan,
    segments: Sequence[SegmentRef],
    stored: Iterable[str],
    row_ids: bool,
    without: Collection[str],
    files: str | None,
    nothing: Collection[str] = (),
) -> str:
    """Returns the same of segments that are read alike; columns of leaves that are named in `nothing` are NULL."""
    entries = [entry(name, name, fixed_type(scan, name)) for name in stored]
    columns = [f'"{name}"' for name in stored]
    raw: dict[Leaf, str] = {}
    for leaf, column in (*scan.leaves.items(), *scan.object_parts.items()):
        sql_type = LEAVES[leaf[1]].sql
        if column in without:
            continue
        if column in nothing:
            columns.append(f'CAST(NULL AS {sql_type}) AS "{column}"')
            continue
        if leaf not in raw:
            raw[leaf] = f"__raw{len(raw)}"
            entries.append(entry(leaf_column_name(leaf), raw[leaf], sql_type))
        columns.append(f'"{raw[leaf]}" AS "{column}"')
    if row_ids:
        columns += ["filename", "file_row_number"]
    options = ", filename=true, file_row_number=true" if row_ids else ""
    reader = files_text(files or files_list(segments), entries, options)
    return f"SELECT {', '.join(columns) or '1 AS __one'} FROM {reader}"


def rows_between(start: int, stop: int) -> str:
    """Returns that a row of a file is in a half-open range: the reader skips all others."""
    return f"file_row_number >= {start} AND file_row_number < {stop}"


def row_text(file: str, numbers: Sequence[int], columns: Sequence[str]) -> str:
    """Returns the SELECT of columns of a file's rows by number, and their numbers as `file_row_number`.

    A column that the file lacks is left out: older files have fewer fixed ones.
    """
    listed = ", ".join(quoted(name) for name in ("file_row_number", *columns))
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        wanted = f"BETWEEN {numbers[0]} AND {numbers[-1]}"
    else:
        wanted = f"IN ({', '.join(map(str, numbers))})"
    return (
        f"SELECT COLUMNS(lambda name: name IN ({listed})) "
        f"FROM read_parquet({quoted(file)}, file_row_number=true) WHERE file_row_number {wanted}"
    )


def counting_rows(
    scan: Scan, segments: Sequence[SegmentRef], source: str, tables: dict[str, pa.Table]
) -> str:
    """Returns a source of the rows that count.

    Args:
        scan: the scan.
        segments: those of the source.
        source: with columns `filename` and `file_row_number`, where one of the segments has replaced rows.
        tables: takes the table that the text names.
    """
    marked = [segment for segment in segments if len(segment.replaced)]
    if not marked:
        return source
    name = f"{scan.token}_replaced{len(tables)}"
    tables[name] = pa.table(
        {
            "__file": pa.concat_arrays(
                [pa.repeat(segment.uri, len(segment.replaced)) for segment in marked]
            ),
            "__row": pa.array(np.concatenate([segment.replaced for segment in marked])),
        }
    )
    # One file's rows are found by number alone, which is half the work.
    same_file = ' AND gone."__file" = base.filename' if len(segments) > 1 else ""
    return (
        f'(SELECT base.* FROM {source} base LEFT JOIN "{name}" gone '
        f'ON gone."__row" = base.file_row_number{same_file} WHERE gone."__row" IS NULL)'
    )


def read_with_word_rows(
    scan: Scan,
    segments: Sequence[SegmentRef],
    stored: Sequence[str],
    word_rows: Mapping[str, RowNumbers],
    tables: dict[str, pa.Table],
) -> str:
    """Returns a SELECT of stored columns and leaves, with each row's file and number, of the rows that are to be read.

    Args:
        scan: the scan.
        segments: those of the source.
        stored: stored columns to read.
        word_rows: by file, the rows of segments of which not all are read.
        tables: takes the tables that the text names.
    """
    few = [segment for segment in segments if segment.uri in word_rows]
    whole = [segment for segment in segments if segment.uri not in word_rows]
    parts = [read_parquet(scan, whole, stored, row_ids=True)] if whole else []
    parts += [_by_number(scan, [segment], stored, word_rows, tables) for segment in few[:MAX_APART]]
    if few[MAX_APART:]:
        parts.append(_by_number(scan, few[MAX_APART:], stored, word_rows, tables))
    return " UNION ALL ".join(parts)


def _by_number(
    scan: Scan,
    segments: Sequence[SegmentRef],
    stored: Sequence[str],
    word_rows: Mapping[str, RowNumbers],
    tables: dict[str, pa.Table],
) -> str:
    """Returns the rows by a join, whose numbers reach the reader: it skips pages and row groups without any."""
    name = f"{scan.token}_words{len(tables)}"
    columns: dict[str, pa.Array] = {
        "__row": pa.array(np.concatenate([word_rows[segment.uri] for segment in segments]))
    }
    same_file = ""
    if len(segments) > 1:
        files = [pa.repeat(segment.uri, len(word_rows[segment.uri])) for segment in segments]
        columns["__file"] = pa.concat_arrays(files)
        same_file = ' AND wanted."__file" = base.filename'
    tables[name] = pa.table(columns)
    base = read_parquet(scan, segments, stored, row_ids=True)
    return (
        f'SELECT base.* FROM ({base}) base SEMI JOIN "{name}" wanted '
        f'ON wanted."__row" = base.file_row_number{same_file}'
    )
