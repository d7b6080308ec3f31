"""Times and lengths of time as other tools write them in addresses."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from tracestore_query.errors import QueryParameterError

_NUMBER: Final = re.compile(r"-?\d{1,15}")
_LENGTH: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h|d|w|M|y)")
_SECONDS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 7 * 86_400.0,
    # Grafana's own lengths of a month and a year.
    "M": 30 * 86_400.0,
    "y": 365 * 86_400.0,
}
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


def moment_of(name: str, text: str) -> dt.datetime:
    """Returns the moment that a text says: milliseconds since 1970, or ISO 8601, in UTC where it names no zone.

    Args:
        name: of the parameter, for the error.
        text: its value.

    Raises:
        QueryParameterError: where it says none.
    """
    text = text.strip()
    try:
        if _NUMBER.fullmatch(text):
            return _EPOCH + dt.timedelta(milliseconds=int(text))
        # A plus in an address is a space.
        moment = dt.datetime.fromisoformat(text.replace(" 0", "+0") if "T" in text else text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return aware.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise QueryParameterError(
            f"cannot read {name}: got {text!r}; want milliseconds since 1970 or ISO 8601"
        ) from None


def length_of(name: str, text: str) -> dt.timedelta:
    """Returns a length of time that is no shorter than a microsecond: milliseconds, or a number with a unit.

    Args:
        name: of the parameter, for the error.
        text: its value, e.g. `30000`, `30s` or `1h30m`.

    Raises:
        QueryParameterError: where it says none.
    """
    length = _length(text.strip())
    if length < _MICROSECOND:
        raise QueryParameterError(
            f"cannot read {name}: got {text!r}; want milliseconds, or a length such as 30s, 5m or 1h"
        )
    return length


def _length(text: str) -> dt.timedelta:
    """Returns the length that a text says, zero where it says none."""
    try:
        if _NUMBER.fullmatch(text):
            return dt.timedelta(milliseconds=int(text))
        parts = _LENGTH.findall(text)
        if "".join(number + unit for number, unit in parts) != text:
            return dt.timedelta()
        return dt.timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
    except OverflowError:
        return dt.timedelta()
