"""Times as Tempo's clients write them."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from tracestore_query.doors.moments import length_of, moment_of
from tracestore_query.doors.traceql.spansets import Window
from tracestore_query.errors import QueryParameterError

_SECONDS: Final = re.compile(r"\d{1,11}(\.\d{1,9})?")
_NANOSECONDS: Final = re.compile(r"\d{16,20}")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def tempo_moment(name: str, text: str) -> dt.datetime | None:
    """Returns the moment that a text says, None where it is empty or zero, which Tempo takes as no bound.

    Args:
        name: of the parameter, for the error.
        text: seconds since 1970, nanoseconds where it has 16 digits or more, or ISO 8601.

    Raises:
        QueryParameterError: where it says none.
    """
    text = text.strip()
    if text in {"", "0"}:
        return None
    try:
        if _SECONDS.fullmatch(text):
            return _EPOCH + dt.timedelta(seconds=float(text))
        if _NANOSECONDS.fullmatch(text):
            return _EPOCH + dt.timedelta(microseconds=int(text) // 1000)
    except OverflowError:
        raise QueryParameterError(
            f"cannot read {name}: got {text!r}; want seconds since 1970"
        ) from None
    return moment_of(name, text)


def tempo_window(start: str, end: str) -> Window:
    """Returns the window between two texts."""
    begin, until = tempo_moment("start", start), tempo_moment("end", end)
    return Window(begin, until)


def tempo_length(name: str, text: str) -> dt.timedelta:
    """Returns a length of time: a number of seconds, or one with a unit."""
    text = text.strip()
    return length_of(name, f"{text}s" if _SECONDS.fullmatch(text) else text)
