"""Orders of lists and structs: an item or a field that is NULL comes last, where Spark has it first."""

from __future__ import annotations

from tracestore_query.spark.calls import Typed
from tracestore_query.spark.names import named, text
from tracestore_query.spark.types import EngineType, is_value


def is_nested(kind: EngineType) -> bool:
    """Tells whether values have parts that may be NULL, and an order of them."""
    return kind.is_list or (kind.name == "STRUCT" and not is_value(kind))


def ordered(value: Typed) -> str:
    """Returns what Spark orders as the engine orders a value; NULL of NULL."""
    if not is_nested(value.type):
        return value.sql
    if value.type.is_list:
        return f"transform({value.sql}, e -> {_part(Typed('e', value.type.item))})"
    fields = ", ".join(
        f"{text(name)}, {_part(Typed(f's.{named(name)}', part))}" for name, part in value.type.parts
    )
    return f"transform(array({value.sql}), s -> IF(s IS NULL, NULL, named_struct({fields})))[0]"


def _part(value: Typed) -> str:
    return f"named_struct('is_null', {value.sql} IS NULL, 'value', {ordered(value)})"
