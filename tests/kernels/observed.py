"""Reads a shredded table into the form the reference twins produce.

Knows the layout of a table (column names, `_overflow`) and nothing of how it was made.
"""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any

from kernels import reference

if TYPE_CHECKING:
    import pyarrow as pa

LEAF_TYPES = (
    "i64",
    "f64",
    "bool",
    "str",
    "bin",
    "json",
    "i64[]",
    "f64[]",
    "bool[]",
    "str[]",
    "json[]",
)
ARROW_TYPES = {
    "i64": "int64",
    "f64": "double",
    "bool": "bool",
    "str": "string",
    "bin": "binary",
    "json": "string",
    "i64[]": "list<item: int64>",
    "f64[]": "list<item: double>",
    "bool[]": "list<item: bool>",
    "str[]": "list<item: string>",
    "json[]": "list<item: string>",
}


def leaf_type(name: str) -> str:
    """Returns the leaf type at the end of a physical column name."""
    return name.rpartition(":")[2]


def is_leaf(name: str) -> bool:
    """Tells whether a column holds a leaf (fixed columns hold no colon)."""
    return ":" in name and leaf_type(name) in LEAF_TYPES


def column_value(kind: str, value: Any) -> Any:
    """Returns the canonical form of a non-null value of a leaf column."""
    if kind == "json":
        return reference.canon(reference.parse(value))
    if kind == "json[]":
        return ("l", tuple(reference.canon(reference.parse(item)) for item in value))
    if kind.endswith("[]"):
        return ("l", tuple(reference.typed(item) for item in value))
    return reference.typed(value)


def _double(value: Any) -> float:
    if isinstance(value, str):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[value]
    assert isinstance(value, float), value
    return value


def overflow_value(kind: str, value: Any) -> Any:
    """Returns the canonical form of a value of `_overflow`, parsed by `reference.parse`."""
    if kind == "bin":
        return ("bin", base64.b64decode(value, validate=True))
    if kind == "f64":
        return reference.bits(_double(value))
    if kind == "f64[]":
        return ("l", tuple(reference.bits(_double(item)) for item in value))
    return reference.canon(value)


def rows(table: pa.Table) -> list[reference.Leaves]:
    """Returns the leaves of each row: those of leaf columns and those of `_overflow`."""
    result: list[reference.Leaves] = [{} for _ in range(table.num_rows)]
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not is_leaf(name):
            continue
        kind = leaf_type(name)
        for leaves, value in zip(result, column.to_pylist(), strict=True):
            if value is not None:
                leaves[name] = column_value(kind, value)
    if "_overflow" in table.column_names:
        for leaves, text in zip(result, table.column("_overflow").to_pylist(), strict=True):
            if text is None:
                continue
            entries = reference.parse(text)
            assert isinstance(entries, dict) and entries, text
            for name, value in entries.items():
                assert name not in leaves, f"{name} is in a column and in _overflow"
                leaves[name] = overflow_value(leaf_type(name), value)
    return result


def check_layout(table: pa.Table, fixed: tuple[str, ...] = ()) -> None:
    """Asserts the layout of a shredded table: order, names and Arrow types of its columns."""
    names = list(table.column_names)
    assert tuple(names[: len(fixed)]) == fixed
    assert names[-1] == "_overflow"
    leaves = names[len(fixed) : -1]
    assert leaves == sorted(leaves)
    assert len(set(names)) == len(names)
    for name in leaves:
        arrow = table.schema.field(name).type
        plain = getattr(arrow, "value_type", arrow) if "dictionary" in str(arrow)[:10] else arrow
        assert str(plain).replace("element:", "item:") == ARROW_TYPES[leaf_type(name)], name
    table.validate(full=True)


def fixed_rows(table: pa.Table, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Returns the fixed columns row by row; timestamps as microseconds since the epoch."""
    columns: dict[str, list[Any]] = {}
    for name in names:
        column = table.column(name)
        if "timestamp" in str(column.type):
            assert str(column.type) == "timestamp[us, tz=UTC]", (name, column.type)
            column = column.cast("int64")
        columns[name] = column.to_pylist()
    return [{name: columns[name][row] for name in names} for row in range(table.num_rows)]


def json_lines(data: bytes) -> list[Any]:
    """Returns the canonical values of NDJSON as `unshred` writes it."""
    assert data.endswith(b"\n") or not data
    lines = data.split(b"\n")[:-1]
    for line in lines:
        json.loads(line)  # plain JSON: no NaN, no bare control characters
    return [reference.canon(reference.parse(line)) for line in lines]
