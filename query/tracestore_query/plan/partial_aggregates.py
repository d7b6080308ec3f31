"""Aggregates of parts of the rows, and the aggregate of all rows made of them.

Only those stand here whose parts are small and say all: an exact quantile or distinct count of some rows does not tell
that of more rows. Of the approximate ones the parts are the states that the engine's own threads make of their rows.
Sums of doubles and approximate quantiles depend on how rows are shared; so do the engine's own, among its threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from tracestore_query.language.dialect import StateOf, cast

FinalOf = Callable[[Sequence[exp.Expr], Sequence[str]], exp.Expr]


STATE_FUNCTIONS: Final = frozenset({"finalize", "combine_aggr", "to_aggregate_state"})
"""Functions of the engine that make states whole; no text of a user may call them."""

EXPORTED: Final = frozenset({"approx_count_distinct", "approx_quantile"})
"""Functions of the engine whose states are kept."""

REGISTERS: Final = "STRUCT(precision UTINYINT, registers UTINYINT[])"
DIGEST: Final = (
    "STRUCT(count UBIGINT, min DOUBLE, max DOUBLE, centroids STRUCT(mean DOUBLE, weight DOUBLE)[])"
)
"""The layouts of their states: a HyperLogLog of 1,024 registers, and a t-digest of some 150 centroids."""


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
    if isinstance(call, exp.ApproxDistinct):
        return _distinct(node, call)
    if isinstance(call, exp.ApproxQuantile):
        return _quantile(node, call)
    final = _FINALS.get(type(call))
    if final is None or not _is_of_one_value(call):
        return None
    if not isinstance(call, exp.Avg):
        return Aggregate((node,), final)
    parts = [kind(this=call.this.copy()) for kind in (exp.Sum, exp.Count)]
    return Aggregate(tuple(_like(node, part) for part in parts), final)


def _distinct(node: exp.Expr, call: exp.ApproxDistinct) -> Aggregate | None:
    """Returns the parts of an approximate distinct count: its registers, which combine without a loss."""
    if not _is_of_one_value(call):
        return None
    # What registers are of, they do not tell: those of all types are alike.
    return Aggregate(
        (_state(node, REGISTERS),),
        lambda parts, _: exp.Coalesce(
            this=_combined(parts[0], "approx_count_distinct", [_text("VARCHAR")]),
            expressions=[exp.Literal.number(0)],
        ),
    )


def _quantile(node: exp.Expr, call: exp.ApproxQuantile) -> Aggregate | None:
    """Returns the parts of an approximate quantile: its digest, and a NULL of the type that the engine takes."""
    quantile = call.args["quantile"]
    is_constant = quantile.find(exp.Column, exp.Placeholder, exp.Parameter) is None
    if not is_constant or not _is_of_one_value(call, "quantile"):
        return None
    typed = exp.Filter(this=call.copy(), expression=exp.Where(this=exp.false()))

    def final(parts: Sequence[exp.Expr], types: Sequence[str]) -> exp.Expr:
        value = types[1].removesuffix("[]")
        share = "FLOAT" if value == types[1] else "FLOAT[]"
        constants = exp.Array(expressions=[exp.null(), quantile.copy()])
        return _combined(parts[0], "approx_quantile", [_text(value), _text(share)], constants)

    return Aggregate((_state(node, DIGEST), typed), final)


def _state(node: exp.Expr, layout: str) -> exp.Expr:
    """Returns a call's state as a value of the engine's plain types; one of another layout has the engine refuse it."""
    return cast(StateOf(this=node.copy()), layout)


def _combined(
    states: exp.Expr, function: str, signature: list[exp.Expr], *constants: exp.Expr
) -> exp.Expr:
    """Returns what a function gives of the rows of all states."""
    arguments = [states, _text(function), exp.Array(expressions=signature), *constants]
    read = exp.Anonymous(this="to_aggregate_state", expressions=arguments)
    combined = exp.Anonymous(this="combine_aggr", expressions=[read])
    return exp.Anonymous(this="finalize", expressions=[combined])


def _text(text: str) -> exp.Expr:
    return exp.Literal.string(text)


def _is_of_one_value(call: exp.Expr, *options: str) -> bool:
    """Tells whether a call takes one value of each row, as it comes, beside options that are no values of rows."""
    known = {"this", "big_int", *options}
    others = [name for name, value in call.args.items() if value and name not in known]
    return not others and not isinstance(call.this, exp.Distinct | exp.Order | exp.Limit)


def _like(node: exp.Expr, call: exp.Expr) -> exp.Expr:
    """Returns a call with the FILTER of another."""
    if not isinstance(node, exp.Filter):
        return call
    return exp.Filter(this=call, expression=node.expression.copy())


def _summed(parts: Sequence[exp.Expr], types: Sequence[str]) -> exp.Expr:
    return cast(exp.Sum(this=parts[0]), types[0])


def _counted(parts: Sequence[exp.Expr], types: Sequence[str]) -> exp.Expr:
    """Returns the sum of counts: zero where there are none, as a count of no rows is."""
    total = exp.Coalesce(this=exp.Sum(this=parts[0]), expressions=[exp.Literal.number(0)])
    return cast(total, types[0])


def _again(kind: type[exp.Func]) -> FinalOf:
    return lambda parts, _: kind(this=parts[0])


def _average(parts: Sequence[exp.Expr], _: Sequence[str]) -> exp.Expr:
    sums, counts = parts
    return exp.paren(exp.Div(this=exp.Sum(this=sums), expression=exp.Sum(this=counts)))


_FINALS: Final[dict[type[exp.Expr], FinalOf]] = {
    exp.Avg: _average,
    exp.Count: _counted,
    # Unlike a count, it is NULL where no row gives it a boolean.
    exp.CountIf: _summed,
    exp.LogicalAnd: _again(exp.LogicalAnd),
    exp.LogicalOr: _again(exp.LogicalOr),
    exp.Max: _again(exp.Max),
    exp.Min: _again(exp.Min),
    exp.Sum: _summed,
}
