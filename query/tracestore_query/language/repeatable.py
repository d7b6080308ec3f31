"""Whether a text gives the same of the same rows at any time, by the tree that the engine's own parser makes of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

LISTED: Final = """
    SELECT lower(function_name), function_type, stability, parameter_types, return_type, parameters, macro_definition
    FROM duckdb_functions() WHERE internal AND function_type IN ('scalar', 'aggregate', 'macro')"""
"""What the engine says of its functions."""

_OF_CLOCK: Final = frozenset({"age"})
"""Functions of which the engine says that they do not depend on the clock, and that do with fewer arguments."""

_OF_MOMENT: Final = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "user"}
)
"""Names that the engine takes for functions where no column has them: no name of a lambda hides that."""

_ZONED: Final = ("WITH TIME ZONE", "TIMESTAMPTZ")

_OF_MORE: Final = frozenset({"WINDOW", "SUBQUERY", "POSITIONAL_REFERENCE"})
"""Classes of expressions that look beyond one row and its group."""


def repeatable_functions(
    listed: Sequence[tuple[Any, ...]], allowed: Collection[str], parsed: Callable[[str], Any]
) -> frozenset[str]:
    """Returns the names of functions that give the same for the same arguments, whenever they are asked.

    Args:
        listed: the rows of `LISTED`.
        allowed: names of functions that queries may call; no other is looked at.
        parsed: gives the engine's tree of a text.
    """
    simple: dict[str, bool] = {}
    macros: dict[str, list[tuple[list[str], Any]]] = {}
    for name, kind, stability, types, result, parameters, definition in listed:
        if kind == "macro" and name in allowed:
            macros.setdefault(name, []).append((parameters, parsed(f"SELECT {definition}")))
        elif kind != "macro":
            same = _is_same_again(stability, [*types, result], bool(types))
            simple[name] = simple.get(name, True) and same
    known = {name for name, same in simple.items() if same} - _OF_CLOCK
    while True:
        # A macro may call others.
        more = {
            name
            for name, forms in macros.items()
            if name not in known and all(is_repeatable(tree, known, own) for own, tree in forms)
        }
        if not more:
            return frozenset(known)
        known |= more


def _is_same_again(stability: str | None, types: Sequence[str | None], has_arguments: bool) -> bool:
    """Tells what the engine says of a function; the time zone, which it counts as what may change, is fixed here."""
    if stability == "CONSISTENT":
        return True
    zoned = any(mark in (sql_type or "") for sql_type in types for mark in _ZONED)
    return stability == "CONSISTENT_WITHIN_QUERY" and has_arguments and zoned


def is_repeatable(tree: Any, functions: Collection[str], own_names: Collection[str] = ()) -> bool:
    """Tells whether a text calls nothing but some functions, and names nothing but columns of its table.

    A name without a table may stand for what the clock says, such as `current_date`.

    Args:
        tree: of `json_serialize_sql`.
        functions: those that give the same for the same arguments, in lower case.
        own_names: names that stand for arguments.
    """
    names: set[str] = set()
    own = {name.lower() for name in own_names}
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        if not isinstance(node, dict):
            continue
        kind = node.get("class")
        if kind in _OF_MORE:
            return False
        if kind == "FUNCTION" and str(node.get("function_name")).lower() not in functions:
            return False
        if kind == "COLUMN_REF" and len(node.get("column_names") or ()) == 1:
            names.add(node["column_names"][0].lower())
        if kind == "LAMBDA":
            own |= _names_of_lambda(node.get("lhs"))
            waiting.append(node.get("expr"))
            continue
        waiting += node.values()
    return names <= own and not own & names & _OF_MOMENT


def _names_of_lambda(node: Any) -> set[str]:
    """Returns the names that a lambda gives its arguments."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            if each.get("class") == "COLUMN_REF":
                found |= {str(name).lower() for name in each.get("column_names") or ()}
            waiting += each.values()
    return found
