"""Aggregates of parts of the rows, and the aggregate of all rows made of them.

Only those stand here whose parts are small and say all: a quantile or a distinct count of some rows does not tell that
of more rows. Sums of doubles depend on the order of additions; so do the engine's own, whose threads share the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

FinalOf = Callable[[Sequence[exp.Expr], Sequence[str]], exp.Expr]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate of a group, by its parts.

    Attributes:
        parts: what is computed of some of the rows.
        final: makes the aggregate of the columns of these, given the types of the parts.
    """

    parts: tuple[exp.Expr, ...]
    final: FinalOf


def aggregate_of(node: exp.Expr) -> Aggregate | None:
    """Returns the parts of a call of an aggregate function, None where it has none."""
    call = node.this if isinstance(node, exp.Filter) else node
    final = _FINALS.get(type(call))
    if final is None or not _is_of_one_value(call):
        return None
    if not isinstance(call, exp.Avg):
        return Aggregate((node,), final)
    parts = [kind(this=call.this.copy()) for kind in (exp.Sum, exp.Count)]
    return Aggregate(tuple(_like(node, part) for part in parts), final)


def _is_of_one_value(call: exp.Expr) -> bool:
    """Tells whether a call takes one value of each row, as it comes."""
    others = [
        name for name, value in call.args.items() if value and name not in {"this", "big_int"}
    ]
    return not others and not isinstance(call.this, exp.Distinct | exp.Order | exp.Limit)


def _like(node: exp.Expr, call: exp.Expr) -> exp.Expr:
    """Returns a call with the FILTER of another."""
    if not isinstance(node, exp.Filter):
        return call
    return exp.Filter(this=call, expression=node.expression.copy())


def _summed(parts: Sequence[exp.Expr], types: Sequence[str]) -> exp.Expr:
    return exp.cast(exp.Sum(this=parts[0]), types[0], dialect="duckdb")


def _counted(parts: Sequence[exp.Expr], types: Sequence[str]) -> exp.Expr:
    """Returns the sum of counts: zero where there are none, as a count of no rows is."""
    total = exp.Coalesce(this=exp.Sum(this=parts[0]), expressions=[exp.Literal.number(0)])
    return exp.cast(total, types[0], dialect="duckdb")


def _again(kind: type[exp.Func]) -> FinalOf:
    return lambda parts, _: kind(this=parts[0])


def _average(parts: Sequence[exp.Expr], _: Sequence[str]) -> exp.Expr:
    sums, counts = parts
    return exp.paren(exp.Div(this=exp.Sum(this=sums), expression=exp.Sum(this=counts)))


_FINALS: Final[dict[type[exp.Expr], FinalOf]] = {
    exp.Avg: _average,
    exp.Count: _counted,
    exp.CountIf: _counted,
    exp.LogicalAnd: _again(exp.LogicalAnd),
    exp.LogicalOr: _again(exp.LogicalOr),
    exp.Max: _again(exp.Max),
    exp.Min: _again(exp.Min),
    exp.Sum: _summed,
}
