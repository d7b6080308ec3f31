"""A Parquet file as rows: each a line of JSON, its columns the keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from tracestore.parquet_files.errors import ParquetFileError
from tracestore.parquet_files.footer import variant_columns
from tracestore.parquet_files.variant_column import json_column
from tracestore_query.answer.held_types import TYPE_KEY
from tracestore_query.answer.json_texts import json_texts

BATCH_ROWS: Final = 2000
"""Rows at once: chats of 10 kB are 20 MB, and their Python values five times as much."""


def parquet_rows(path: Path) -> Iterator[bytes]:
    """Yields the rows of a file as lines, a batch at a time.

    A column of the type VARIANT is the values that it holds, and so is one of JSON text that an export has written.

    Raises:
        ParquetFileError: where it is no Parquet file, or a VARIANT in it is broken.
    """
    variants = variant_columns(path)
    try:
        with pq.ParquetFile(path) as file:
            types = [_type_of(field, variants) for field in file.schema_arrow]
            for batch in file.iter_batches(BATCH_ROWS):
                columns = [
                    json_column(column) if name in variants else column
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                ]
                yield _lines(batch.schema.names, columns, types)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        # Names of columns and texts may be no UTF-8, which Arrow looks at late.
        raise ParquetFileError(f"cannot read it: {error}") from None


def _lines(names: list[str], columns: list[pa.Array], types: list[str]) -> bytes:
    """Returns rows as JSON; a column that a row has no value in is no key of it, unlike the null of a VARIANT."""
    keys = [json.dumps(name, ensure_ascii=False) + ":" for name in names]
    texts = [
        json_texts(column, kind).to_pylist() for column, kind in zip(columns, types, strict=True)
    ]
    there = [column.is_valid().to_pylist() for column in columns]
    lines = []
    for row in range(len(there[0]) if there else 0):
        members = [keys[at] + texts[at][row] for at in range(len(keys)) if there[at][row]]
        lines.append("{" + ",".join(members) + "}\n")
    return "".join(lines).encode()


def _type_of(field: pa.Field, variants: frozenset[str]) -> str:
    if field.name in variants:
        return "JSON"
    told: bytes = (field.metadata or {}).get(TYPE_KEY.encode(), b"")
    return told.decode()
