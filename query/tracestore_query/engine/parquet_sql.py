"""Files of segments as DuckDB text: `read_parquet` with the schema given, so that no footer is opened to bind."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from tracestore.store import RowNumbers, SegmentRef
from tracestore.variant import LEAVES, OVERFLOW, TABLES
from tracestore_query.plan.scan import Scan, leaf_column_name
from tracestore_query.tables.names import quoted

_FIXED_TYPE = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
}

_SCHEMA_TYPE: Final = "MAP(VARCHAR, STRUCT(name VARCHAR, type VARCHAR, default_value VARCHAR))"

MAX_APART: Final = 32
"""Segments of one scan that are read on their own, each by its row numbers alone: each is a reader of the engine."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is read of files.

    Attributes:
        physical: its name in the files.
        name: that in the query.
        sql_type: the engine's type of it.
    """

    physical: str
    name: str
    sql_type: str


def fixed_type(scan: Scan, name: str) -> str:
    """Returns the engine's type of a fixed column of a scan's table."""
    if name == OVERFLOW:
        return "VARCHAR"
    arrow_type = TABLES[scan.table].columns[name]
    return _FIXED_TYPE.get(arrow_type, "TIMESTAMPTZ")


def carried_type(name: str) -> str:
    """Returns the engine's type of a column of files that comes with the ids of rows."""
    leaf_type = LEAVES.get(name.rpartition(":")[2])
    return "VARCHAR" if leaf_type is None else leaf_type.sql


def files_list(segments: Sequence[SegmentRef]) -> str:
    """Returns the list of the files of segments."""
    files = "', '".join([segment.uri for segment in segments])
    if files.count("'") > 2 * max(len(segments) - 1, 0):
        files = "', '".join([segment.uri.replace("'", "''") for segment in segments])
    return f"['{files}']"


def named_list(name: str) -> str:
    """Returns the list of one name, which stands for the files of many segments while a text is checked."""
    return f"[{quoted(name)}]"


def schema_text(columns: Iterable[Column]) -> str:
    """Returns the schema by which files are read: one literal, which the engine reads in half the time of many.

    Of columns that are one column of the files, the first is listed.
    """
    schema: dict[str, dict[str, str | None]] = {}
    for column in columns:
        listed = {"name": column.name, "type": column.sql_type, "default_value": None}
        schema.setdefault(column.physical, listed)
    # count(*) reads no column; the schema may not be empty.
    whole = schema or {"project": {"name": "project", "type": "VARCHAR", "default_value": None}}
    return f"{quoted(json.dumps(whole, ensure_ascii=False))}::JSON::{_SCHEMA_TYPE}"


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


def whole_files(scan: Scan, stored: Iterable[str], row_ids: bool, files: str) -> str:
    """Returns a source of all rows of a list of files: the call alone where it gives the columns as they are read."""
    columns = _columns(scan, stored)
    if len({column.physical for column in columns}) == len(columns):
        return _reader(columns, row_ids, files)
    return f"({_read(scan, (), stored, row_ids, (), files)})"


def _has_items(scan: Scan, segment: SegmentRef) -> bool:
    """Returns whether a segment has all item columns of a scan that lists are read beside."""
    return all(leaf_column_name(leaf) in segment.item_columns for leaf in scan.item_lists)


def _columns(scan: Scan, stored: Iterable[str]) -> list[Column]:
    """Returns the columns of files that a scan reads."""
    leaves = (*scan.leaves.items(), *scan.object_parts.items())
    read = [
        *(Column(name, name, fixed_type(scan, name)) for name in stored),
        *(Column(leaf_column_name(leaf), column, LEAVES[leaf[1]].sql) for leaf, column in leaves),
    ]
    names = {column.name for column in read}
    carried = ((name, column) for name, column in scan.carried.items() if column not in names)
    return read + [Column(name, column, carried_type(name)) for name, column in carried]


def _reader(columns: Iterable[Column], row_ids: bool, files: str) -> str:
    options = ", filename=true, file_row_number=true" if row_ids else ""
    return f"read_parquet({files}, schema={schema_text(columns)}{options})"


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
    wanted = [column for column in _columns(scan, stored) if column.name not in without]
    held = [column for column in wanted if column.name not in nothing]
    # A column of the files is listed once, whatever it is read for.
    names = {column.physical: column.name for column in reversed(held)}
    columns = [
        f'CAST(NULL AS {column.sql_type}) AS "{column.name}"'
        if column.name in nothing
        else f'"{names[column.physical]}" AS "{column.name}"'
        for column in wanted
    ]
    if row_ids:
        columns += ["filename", "file_row_number"]
    reader = _reader(held, row_ids, files or files_list(segments))
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
