"""Which segments lie wholly within the times that a query asks for: all of their rows meet its conditions on time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from tracestore.store import SegmentRef
from tracestore.variant import TableSpec
from tracestore_query.language.constant_folding import moves
from tracestore_query.plan.pruning import Evaluate, comparisons
from tracestore_query.plan.top_n import is_time

MARGIN_S: Final = 60
"""Seconds within which a query runs after it was planned: by so much the engine's `now()` may be later."""

_NS_PER_US: Final = 1000
_NS_PER_S: Final = 1_000_000_000
_FROM: Final = frozenset({exp.GT, exp.GTE})
_UNTIL: Final = frozenset({exp.LT, exp.LTE})


@dataclass(frozen=True, slots=True)
class WholeTimes:
    """The times of segments that lie wholly within a query's, nanoseconds since 1970.

    Attributes:
        first: the least time that the first row of a segment may have, None for any.
        last: the greatest time that its last row may have, None for any.
        moves: whether the bounds depend on the clock.
        others: the conditions that are not about time alone.
    """

    first: int | None
    last: int | None
    moves: bool
    others: tuple[exp.Expr, ...]

    def hold(self, segment: SegmentRef) -> bool:
        """Tells whether all rows of a segment lie within."""
        return (self.first is None or segment.min_time_ns >= self.first) and (
            self.last is None or segment.max_time_ns <= self.last
        )


def whole_times(
    conditions: Sequence[exp.Expr], alias: str, spec: TableSpec, evaluate: Evaluate
) -> WholeTimes:
    """Returns what conditions say of time, and those that say something else.

    Args:
        conditions: those that every row meets.
        alias: the table's name in the query.
        spec: the table.
        evaluate: computes constants.
    """
    firsts: list[int] = []
    lasts: list[int] = []
    others: list[exp.Expr] = []
    of_moment = False
    for condition in conditions:
        bounds = _bounds(condition, alias, spec, evaluate)
        if bounds is None:
            others.append(condition)
            continue
        for kind, value in bounds:
            # One microsecond more than the condition asks for: times compare as microseconds or as nanoseconds.
            (firsts if kind in _FROM else lasts).append(
                value + _NS_PER_US if kind in _FROM else value - _NS_PER_US - 1
            )
        if moves(condition):
            of_moment = True
            firsts = [first + MARGIN_S * _NS_PER_S for first in firsts]
    return WholeTimes(max(firsts, default=None), min(lasts, default=None), of_moment, tuple(others))


def _bounds(
    condition: exp.Expr, alias: str, spec: TableSpec, evaluate: Evaluate
) -> list[tuple[type[exp.Expr], int]] | None:
    """Returns the bounds of a condition that says no more than these, None of any other."""
    found: list[tuple[type[exp.Expr], int]] = []
    for subject, kind, bound in comparisons(condition):
        if not is_time(subject, alias, spec) or not isinstance(subject, exp.Column):
            continue
        value = evaluate(bound, subject.name.lower() == spec.time_ns_column)
        if kind not in _FROM | _UNTIL or not isinstance(value, int):
            return None
        found.append((kind, value))
    return found if len(found) == (2 if isinstance(condition, exp.Between) else 1) else None
