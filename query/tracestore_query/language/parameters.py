"""Parameters of a query: `?`, `$1` and `$name`, and the value of each where it stands."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from tracestore_query.errors import QueryParameterError
from tracestore_query.language.nodes import find_nodes

Parameters = Mapping[str, Any] | Sequence[Any] | None

META = "tracestore.parameter"
"""The key of a placeholder's value in its node's meta, in a tuple of one."""

_PLACE, _NAME = "p", "n_"


def note_values(tree: exp.Expr, parameters: Parameters) -> dict[str, Any]:
    """Notes the value of every placeholder at its node, and gives each a name of its own.

    Positions become names since planning may move or repeat what holds a `?`.

    Returns:
        The values by these names.

    Raises:
        QueryParameterError: where a value is missing, or there are more values than parameters.
    """
    nodes = list(find_nodes(tree, exp.Placeholder))
    if len(nodes) > 1:
        # In the order in which they are written.
        nodes = list(tree.find_all(exp.Placeholder, bfs=False))
    values: dict[str, Any] = {}
    unnamed = 0
    for node in nodes:
        name = str(node.this or "")
        if not name:
            unnamed += 1
            name = str(unnamed)
        value = _value(name, parameters)
        node.meta[META] = (value,)
        unique = f"{_PLACE}{name}" if name.isdigit() else f"{_NAME}{name}"
        node.set("this", unique)
        values[unique] = value
    if not isinstance(parameters, Mapping) and len(parameters or ()) > len(values):
        given = len(parameters or ())
        raise QueryParameterError(
            f"cannot run query: it has {len(values)} parameters, but {given} values were given"
        )
    return values


def used_values(tree: exp.Expr) -> frozenset[str]:
    """Returns the names of the values that a tree still asks for."""
    return frozenset(str(node.this) for node in find_nodes(tree, exp.Placeholder))


def values_again(names: Iterable[str], parameters: Parameters) -> dict[str, Any]:
    """Returns the values by the names that `note_values` gave, for other values of the same parameters."""
    return {
        name: _value(name.removeprefix(_NAME if name.startswith(_NAME) else _PLACE), parameters)
        for name in names
    }


def value_of(node: exp.Expr) -> Any:
    """Returns the value of a placeholder, None where the node is none."""
    held = node.meta.get(META)
    return held[0] if held else None


def type_of_parameter(value: object) -> str:
    """Returns the engine's type of a parameter's value."""
    if isinstance(value, list | tuple):
        types = {type_of_parameter(item) for item in value} - {_NO_TYPE}
        return f"{types.pop()}[]" if len(types) == 1 else "VARCHAR[]"
    if isinstance(value, dt.datetime):
        return "TIMESTAMP" if value.tzinfo is None else "TIMESTAMP WITH TIME ZONE"
    if isinstance(value, int) and not isinstance(value, bool):
        return "BIGINT" if -(2**63) <= value < 2**63 else "HUGEINT"
    return next((name for kind, name in _TYPES if isinstance(value, kind)), _NO_TYPE)


_NO_TYPE = '"NULL"'
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "BOOLEAN"),
    (float, "DOUBLE"),
    (str, "VARCHAR"),
    (bytes, "BLOB"),
    (dt.date, "DATE"),
    (dt.time, "TIME"),
    (dt.timedelta, "INTERVAL"),
    (decimal.Decimal, "DECIMAL(38,9)"),
)


def _value(name: str, parameters: Parameters) -> Any:
    if isinstance(parameters, Mapping):
        if name in parameters:
            return parameters[name]
    elif name.isdigit() and parameters is not None and 0 < int(name) <= len(parameters):
        return parameters[int(name) - 1]
    shown = f"${name}" if not name.isdigit() else f"number {name}"
    raise QueryParameterError(f"cannot run query: no value was given for parameter {shown}")
