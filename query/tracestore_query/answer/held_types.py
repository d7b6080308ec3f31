"""Types that a format has no form for, as text: an answer leaves in every format, whatever types it has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa

from tracestore_query.answer.json_texts import plain, python_values

TYPE_KEY: Final = "tracestore.type"
"""Names the engine's type of a column of JSON text in a field's metadata."""

Fits = Callable[[pa.DataType], bool]


def in_csv(arrow_type: pa.DataType) -> bool:
    """Returns whether a cell of a CSV file can be a value of a type."""
    return not (
        pa.types.is_nested(arrow_type)
        or pa.types.is_binary(arrow_type)
        or not _has_form(arrow_type)
    )


def in_parquet(arrow_type: pa.DataType) -> bool:
    """Returns whether a column of a Parquet file can have a type."""
    if pa.types.is_struct(arrow_type) and arrow_type.num_fields == 0:
        return False
    fields = [arrow_type.field(i) for i in range(arrow_type.num_fields)]
    # The keys of an empty map have no type, and may not be NULL either.
    if any(pa.types.is_null(field.type) and not field.nullable for field in fields):
        return False
    return _has_form(arrow_type) and all(in_parquet(field.type) for field in fields)


def _has_form(arrow_type: pa.DataType) -> bool:
    return not (pa.types.is_interval(arrow_type) or pa.types.is_union(arrow_type))


def held_schema(schema: pa.Schema, fits: Fits) -> pa.Schema:
    """Returns a schema in which fields that do not fit are text."""
    return pa.schema(
        [
            field
            if fits(field.type)
            else pa.field(field.name, pa.string(), metadata=field.metadata)
            for field in schema
        ]
    )


def held_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Returns rows with the fields of such a schema: an interval by ISO 8601, what is nested as JSON."""
    arrays = [
        column if column.type == field.type else _texts(column)
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _texts(column: pa.ChunkedArray) -> pa.Array:
    interval = pa.types.is_interval(column.type)
    texts = [
        None if value is None else plain(value) if interval else _dump(value)
        for value in python_values(column)
    ]
    return pa.array(texts, pa.string())


def _dump(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False)
