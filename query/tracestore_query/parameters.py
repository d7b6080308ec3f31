"""Parameters of a query: `?`, `$1` and `$name`, and the value of each where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from tracestore_query.errors import QueryParameterError

Parameters = Mapping[str, Any] | Sequence[Any] | None

META = "tracestore.parameter"
"""The key of a placeholder's value in its node's meta, in a tuple of one."""


def note_values(tree: exp.Expr, parameters: Parameters) -> None:
    """Notes the value of every placeholder at its node.

    Raises:
        QueryParameterError: where a value is missing, or a name and a position are mixed.
    """
    nodes = list(tree.find_all(exp.Placeholder, exp.Parameter, bfs=False))
    if not nodes:
        if parameters:
            raise QueryParameterError(
                "cannot run query: it has no parameters, but values were given"
            )
        return
    unnamed = 0
    for node in nodes:
        name = _name(node)
        if not name:
            unnamed += 1
            name = str(unnamed)
        node.meta[META] = (_value(name, parameters),)


def value_of(node: exp.Expr) -> Any:
    """Returns the value of a placeholder, None where the node is none."""
    held = node.meta.get(META)
    return held[0] if held else None


def _name(node: exp.Expr) -> str:
    inner = node.this
    return str(inner.name if isinstance(inner, exp.Expr) else inner or "")


def _value(name: str, parameters: Parameters) -> Any:
    if isinstance(parameters, Mapping):
        if name in parameters:
            return parameters[name]
    elif name.isdigit() and parameters is not None and 0 < int(name) <= len(parameters):
        return parameters[int(name) - 1]
    shown = f"${name}" if not name.isdigit() else f"number {name}"
    raise QueryParameterError(f"cannot run query: no value was given for parameter {shown}")
