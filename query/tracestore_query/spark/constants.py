"""Constants of a plan's JSON as values and as literals of Spark SQL."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.spark.calls import Typed
from tracestore_query.spark.names import text
from tracestore_query.spark.types import INTEGERS, EngineType, read_type

_DAY_US: Final = 86_400 * 10**6


def constant(node: Any) -> Typed:
    """Returns a constant of a plan."""
    kind = read_type(node["type"])
    if node.get("is_null"):
        return Typed(f"CAST(NULL AS {kind.spark})", kind, None, is_constant=True)
    value = _value(node.get("value"), kind)
    return Typed(literal(value, kind), kind, value, is_constant=True)


def _value(held: Any, kind: EngineType) -> Any:
    """Returns a value of a plan's JSON, which leaves out what is the default of a type."""
    if kind.name in {"HUGEINT", "UHUGEINT"}:
        held = held or {}
        return (int(held.get("upper", 0)) << 64) + int(held.get("lower", 0))
    if kind.name == "DECIMAL":
        if isinstance(held, dict):
            held = (int(held.get("upper", 0)) << 64) + int(held.get("lower", 0))
        return Decimal(int(held or 0)).scaleb(-kind.scale)
    if kind.name in INTEGERS or kind.name.startswith(("TIMESTAMP", "DATE")):
        return int(held or 0)
    if kind.is_list:
        return [_item(each, kind.item) for each in (held or {}).get("children", ())]
    if kind.name == "STRUCT":
        children = (held or {}).get("children", ())
        return [_item(each, part) for each, (_, part) in zip(children, kind.parts, strict=True)]
    if kind.name == "INTERVAL":
        return dict(held or {})
    if kind.name == "BOOLEAN":
        return bool(held)
    if kind.name in {"DOUBLE", "FLOAT"}:
        return 0.0 if held is None else float(held)
    return "" if held is None else held


def _item(node: Any, kind: EngineType) -> Any:
    return None if node.get("is_null") else _value(node.get("value"), kind)


def literal(value: Any, kind: EngineType) -> str:
    """Returns a literal of a type."""
    if value is None:
        return f"CAST(NULL AS {kind.spark})"
    if kind.name in {"DOUBLE", "FLOAT"}:
        return _double(float(value), kind)
    if kind.name in INTEGERS:
        return _integer(value, kind)
    if kind.name == "DECIMAL":
        return f"CAST('{value:f}' AS {kind.spark})"
    if kind.name == "BOOLEAN":
        return "true" if value else "false"
    if kind.is_list:
        items = ", ".join(literal(item, kind.item) for item in value)
        return f"array({items})" if value else f"CAST(array() AS {kind.spark})"
    if kind.name == "STRUCT":
        parts = [
            f"{text(name)}, {literal(item, part)}"
            for (name, part), item in zip(kind.parts, value, strict=True)
        ]
        return f"named_struct({', '.join(parts)})"
    return _other(value, kind)


def _other(value: Any, kind: EngineType) -> str:
    if kind.name == "INTERVAL":
        months, days = int(value.get("months", 0)), int(value.get("days", 0))
        seconds = f"CAST({int(value.get('micros', 0)) / 1e6!r} AS DECIMAL(18,6))"
        return f"make_interval(0, {months}, 0, {days}, 0, 0, {seconds})"
    if kind.name == "DATE":
        return f"date_from_unix_date({value})"
    if kind.name == "TIMESTAMP WITH TIME ZONE":
        return f"timestamp_micros({value}L)"
    if kind.name == "TIMESTAMP":
        return f"CAST(timestamp_micros({value}L) AS TIMESTAMP_NTZ)"
    if kind.name in {"VARCHAR", "CHAR", "STRING_LITERAL"}:
        return text(str(value))
    raise SparkRefusedError.of(f"a constant of type {kind.name}", "cast it to VARCHAR")


def _double(value: float, kind: EngineType) -> str:
    if math.isnan(value) or math.isinf(value):
        name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return f"{kind.spark}('{name}')"
    return f"CAST({value!r}D AS {kind.spark})" if kind.name == "FLOAT" else f"{value!r}D"


def _integer(value: int, kind: EngineType) -> str:
    if abs(value) >= 10**38:
        raise SparkRefusedError.of("a number of 39 digits", "give it as a DOUBLE")
    if kind.spark == "BIGINT":
        return f"{value}L" if value > -(2**63) else "(-9223372036854775807L - 1L)"
    if kind.spark == "INT":
        return str(value) if value > -(2**31) else "(-2147483647 - 1)"
    return f"CAST('{value}' AS {kind.spark})"
