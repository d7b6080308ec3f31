"""Constants of a query's WHERE, computed before it runs, so that segments can be left out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from tracestore_query.language import dialect
from tracestore_query.language.nodes import nodes_of
from tracestore_query.language.parameters import value_of

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# What the engine computes in no time: a query's deadline does not run yet.
_COMPUTED = (
    *(exp.Literal, exp.Paren, exp.Neg, exp.Add, exp.Sub, exp.Mul),
    *(exp.Cast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.IntervalSpan),
    *(exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTimestampLTZ, exp.AtTimeZone),
    *(exp.DateTrunc, exp.TimestampTrunc, exp.DateAdd, exp.DateSub, exp.Date, exp.UnixToTime),
    *(exp.StrToTime, exp.DateFromParts, exp.TimestampFromParts),
)
_NOW = (exp.CurrentTimestamp, exp.CurrentTimestampLTZ)
# The engine's own names of it, which the parser does not know.
_NOW_NAMES = frozenset({"now", "get_current_timestamp", "transaction_timestamp"})
_MOMENTS = frozenset({exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPLTZ})
# The spellings that Python and the engine read alike; of any other, only the engine's reading counts.
_TIME_TEXT = re.compile(
    r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{3}|\.\d{6})?)?(?:Z|[+-]\d\d:\d\d)?)?"
)
_WHOLE = re.compile(r"-?\d{1,9}")
# Units of one length; months and years are the engine's to add.
_SECONDS = {
    "MICROSECOND": 1e-6,
    "MILLISECOND": 1e-3,
    "SECOND": 1,
    "MINUTE": 60,
    "HOUR": 3600,
    "DAY": 86400,
    "WEEK": 604800,
}


def is_now(node: exp.Expr) -> bool:
    """Tells whether a node is the time at which it is asked."""
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower() in _NOW_NAMES and not node.expressions
    return isinstance(node, _NOW)


def moves(node: exp.Expr) -> bool:
    """Tells whether an expression depends on the time at which it is asked."""
    return any(isinstance(part, exp.CurrentDate) or is_now(part) for part in nodes_of(node))


class Constants:
    """The computer of constants. It asks the engine only for what it alone can compute, such as months.

    Args:
        time_us: gives the time of a constant expression as the engine computes it, in microseconds since 1970.

    Attributes:
        of_moment: whether any constant may be another one the next time, as `now()` is.
        of_values: whether any time comes from a parameter.
    """

    def __init__(self, time_us: Callable[[str], int | None]) -> None:
        self._time_us = time_us
        self.of_moment = False
        self.of_values = False

    def value(self, node: exp.Expr, exact: bool) -> int | str | None:
        """Returns a time as nanoseconds since 1970, or where `exact` a number or text as it is.

        None where the expression is not constant or is none of these.
        """
        while isinstance(node, exp.Paren):
            node = node.this
        if exact:
            found = _plain(node)
            self.of_values |= isinstance(found, int) and not isinstance(node, exp.Literal)
            return found if isinstance(found, int | str) else None
        self.of_values |= node.find(exp.Placeholder, exp.Parameter) is not None
        moment = _moment(node)
        self.of_moment |= moment is None or moves(node)
        if moment is not None:
            return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1000
        return self._computed(node)

    def _computed(self, node: exp.Expr) -> int | None:
        if not all(isinstance(part, _COMPUTED) or is_now(part) for part in nodes_of(node)):
            return None
        time_us = self._time_us(dialect.generate(node))
        return None if time_us is None else time_us * 1000


def _plain(node: exp.Expr) -> Any:
    """Returns the value of a literal or parameter."""
    if not isinstance(node, exp.Literal):
        return value_of(node)
    text = str(node.this)
    if node.is_string:
        return text
    return int(text) if text.isdigit() else None


def _moment(node: exp.Expr) -> dt.datetime | None:
    """Returns a time that needs no engine: a literal, a parameter, now, and these plus or minus an interval."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression, exp.Interval):
        start, length = _moment(node.this), _length(node.expression)
        if start is None or length is None:
            return None
        return start + length if isinstance(node, exp.Add) else start - length
    if is_now(node):
        return dt.datetime.now(dt.UTC)
    if isinstance(node, exp.Cast) and node.to.this in _MOMENTS:
        node = node.this
    found = _plain(node)
    if isinstance(found, str):
        found = _time_of(found)
    if not isinstance(found, dt.datetime):
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _time_of(text: str) -> dt.datetime | None:
    if _TIME_TEXT.fullmatch(text) is None:
        return None
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def _length(node: exp.Interval) -> dt.timedelta | None:
    amount, unit = node.this, str(node.args.get("unit") or "").upper().removesuffix("S")
    if not isinstance(amount, exp.Literal) or unit not in _SECONDS:
        return None
    if _WHOLE.fullmatch(str(amount.this)) is None:
        # The engine cuts what comes after the point.
        return None
    try:
        return dt.timedelta(seconds=float(str(amount.this)) * _SECONDS[unit])
    except (ValueError, OverflowError):
        return None
