"""What a query asks of the moment it runs at: one moment for all pages, and what is never the same is refused."""

from __future__ import annotations

import datetime as dt
from typing import Final

from sqlglot import exp

from tracestore_query.errors import QueryCursorError

_NOW: Final = frozenset({"now", "transaction_timestamp", "get_current_timestamp"})
CHANCE: Final = frozenset(
    "random uuid gen_random_uuid uuidv4 uuidv7 reservoir_quantile".split()  # noqa: SIM905 - read as a list
)
"""Functions whose values are drawn."""
_CLOCK: Final = frozenset(
    "ago current_time get_current_time current_localtime localtime".split()  # noqa: SIM905 - read as a list
)


def refuse_chance(tree: exp.Expr) -> None:
    """Refuses a query whose rows are others each time it is asked.

    Raises:
        QueryCursorError: naming what depends on chance.
    """
    if tree.find(exp.TableSample) is not None:
        raise _never_the_same("a sample takes other rows each time")
    for join in tree.find_all(exp.Join):
        method = str(join.args.get("method") or "").upper()
        if method in {"ASOF", "POSITIONAL"}:
            raise _never_the_same(f"{method} JOIN may take other rows where several fit")
    for node in tree.find_all(exp.Func):
        name = function_name(node)
        if name in CHANCE:
            raise _never_the_same(f"{name}() is another value each time")
        if name in _CLOCK or (name == "age" and len(list(node.iter_expressions())) == 1):
            raise _never_the_same(f"{name}() is another value each time; write now()")


def with_moment(tree: exp.Expr, moment: str | None) -> str | None:
    """Puts one moment in the place of every `now()`.

    Args:
        tree: changed in place.
        moment: of the first page, None where this is the first.

    Returns:
        The moment; None where the query asks for none.
    """
    calls = ((node, _type_of_moment(node)) for node in tree.find_all(exp.Func))
    nodes = [(node, sql_type) for node, sql_type in calls if sql_type is not None]
    if not nodes:
        return None
    if moment is None:
        moment = dt.datetime.now(dt.UTC).isoformat()
    for node, sql_type in nodes:
        time = exp.cast(exp.Literal.string(moment), "TIMESTAMPTZ")
        node.replace(exp.paren(exp.cast(time, sql_type)))
    return moment


def function_name(node: exp.Func) -> str:
    """Returns the name that a call is written with, in lower case."""
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    return str(_NAMES.get(type(node)) or node.sql_name()).lower()


_NAMES: Final[dict[type[exp.Expr], str]] = {
    exp.Rand: "random",
    exp.CurrentTime: "current_time",
    exp.Localtime: "current_localtime",
}


def _type_of_moment(node: exp.Func) -> str | None:
    if isinstance(node, exp.CurrentDate):
        return "DATE"
    if isinstance(node, exp.Localtimestamp):
        return "TIMESTAMP"
    is_now = isinstance(node, exp.CurrentTimestamp | exp.CurrentTimestampLTZ)
    return "TIMESTAMPTZ" if is_now or function_name(node) in _NOW else None


def _never_the_same(reason: str) -> QueryCursorError:
    return QueryCursorError(f"cannot page query: {reason}")
