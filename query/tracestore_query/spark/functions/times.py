"""Functions of times; the session's time zone is UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tracestore_query.spark.calls import Builder, Call, template
from tracestore_query.spark.names import text
from tracestore_query.spark.types import INSTANT

_TRUNCATED: Final = {
    "microsecond": "MICROSECOND",
    "microseconds": "MICROSECOND",
    "millisecond": "MILLISECOND",
    "milliseconds": "MILLISECOND",
    "second": "SECOND",
    "seconds": "SECOND",
    "minute": "MINUTE",
    "minutes": "MINUTE",
    "hour": "HOUR",
    "hours": "HOUR",
    "day": "DAY",
    "days": "DAY",
    "week": "WEEK",
    "weeks": "WEEK",
    "month": "MONTH",
    "months": "MONTH",
    "quarter": "QUARTER",
    "quarters": "QUARTER",
    "year": "YEAR",
    "years": "YEAR",
}
_PARTS: Final[dict[str, str]] = {
    "year": "year({0})",
    "quarter": "quarter({0})",
    "month": "month({0})",
    "day": "day({0})",
    "dayofmonth": "day({0})",
    "hour": "hour({0})",
    "minute": "minute({0})",
    "second": "second({0})",
    "millisecond": "pmod(unix_millis({0}), 60000)",
    "milliseconds": "pmod(unix_millis({0}), 60000)",
    "microsecond": "pmod(unix_micros({0}), 60000000)",
    "microseconds": "pmod(unix_micros({0}), 60000000)",
    "dow": "(dayofweek({0}) - 1)",
    "dayofweek": "(dayofweek({0}) - 1)",
    "weekday": "(dayofweek({0}) - 1)",
    "isodow": "(weekday({0}) + 1)",
    "doy": "dayofyear({0})",
    "dayofyear": "dayofyear({0})",
    "week": "weekofyear({0})",
    "weekofyear": "weekofyear({0})",
    "isoyear": "extract(YEAROFWEEK FROM {0})",
    "epoch": "(unix_micros({0}) / 1e6D)",
}
_ALIASES: Final = {
    "years": "year", "y": "year", "quarters": "quarter", "months": "month", "mon": "month", "days": "day",
    "d": "day", "hours": "hour", "h": "hour", "minutes": "minute", "min": "minute", "m": "minute",
    "seconds": "second", "sec": "second", "s": "second", "weeks": "week", "w": "week", "ms": "millisecond",
    "us": "microsecond",
}  # fmt: skip
_STRFTIME: Final = {
    "Y": "yyyy",
    "y": "yy",
    "m": "MM",
    "-m": "M",
    "d": "dd",
    "-d": "d",
    "H": "HH",
    "-H": "H",
    "I": "hh",
    "M": "mm",
    "S": "ss",
    "f": "SSSSSS",
    "g": "SSS",
    "b": "MMM",
    "B": "MMMM",
    "a": "EEE",
    "A": "EEEE",
    "p": "a",
    "j": "DDD",
    "F": "yyyy-MM-dd",
    "T": "HH:mm:ss",
}
_FORMAT: Final = re.compile("([^%]+)|%(-?.?)", re.DOTALL)
_PER_US: Final = {
    "MICROSECOND": 1,
    "MILLISECOND": 1000,
    "SECOND": 10**6,
    "MINUTE": 60 * 10**6,
    "HOUR": 3600 * 10**6,
    "DAY": 86_400 * 10**6,
    "WEEK": 7 * 86_400 * 10**6,
}
_MONTHS: Final = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_EPOCH_MONDAY_US: Final = 946_857_600_000_000
"""2000-01-03, where buckets of hours, days and weeks begin to count, in microseconds since 1970."""


def _instant(call: Call, position: int) -> str:
    """Returns an argument as a time that Spark's functions of microseconds take."""
    if call.arguments[position].type.name == INSTANT:
        return call[position]
    return f"CAST({call[position]} AS TIMESTAMP)"


def _unit(call: Call, position: int = 0) -> str:
    unit = str(call.constant(position)).lower()
    return _ALIASES.get(unit, unit)


def _truncated(call: Call) -> str:
    unit = _TRUNCATED.get(_unit(call))
    if unit is None or call.arguments[1].type.name == "INTERVAL":
        raise call.refused(f"to {_unit(call)}", "use second to year")
    return f"CAST(date_trunc('{unit}', {_instant(call, 1)}) AS {call.type.spark})"


def _part(call: Call) -> str:
    return _named_part(call, _unit(call), 1)


def _named_part(call: Call, unit: str, position: int) -> str:
    made = _PARTS.get(unit)
    if made is None or call.arguments[position].type.name in {"INTERVAL", "TIME"}:
        raise call.refused(f"of {unit}", "use year to microsecond of a time")
    return f"CAST({made.format(_instant(call, position))} AS {call.type.spark})"


def _of_part(unit: str) -> Builder:
    return lambda call: _named_part(call, unit, 0)


def _epoch(per: str) -> Builder:
    def build(call: Call) -> str:
        if call.arguments[0].type.name not in {INSTANT, "TIMESTAMP", "DATE"}:
            raise call.refused("of what is no time", "use to_timestamp")
        return f"CAST({per.format(_instant(call, 0))} AS {call.type.spark})"

    return build


def _of_milliseconds(call: Call) -> str:
    if call.arguments[0].type.name == "BIGINT":
        return f"CAST(timestamp_millis({call[0]}) AS {call.type.spark})"
    return _epoch("unix_millis({})")(call)


def _difference(call: Call) -> str:
    """Returns how many bounds of a unit lie between two times."""
    unit = _unit(call)
    whole = _TRUNCATED.get(unit)
    if whole is None:
        raise call.refused(f"in {unit}", "use second to year")
    if whole == "WEEK":
        # Of weeks the engine counts those that are whole.
        first, last = (f"CAST({_instant(call, at)} AS DATE)" for at in (1, 2))
        return f"(datediff({last}, {first}) DIV 7)"
    first, last = (f"date_trunc('{whole}', {_instant(call, at)})" for at in (1, 2))
    if whole in _PER_US:
        return f"((unix_micros({last}) - unix_micros({first})) DIV {_PER_US[whole]}L)"
    months = f"((year({last}) - year({first})) * 12 + month({last}) - month({first}))"
    return f"CAST({months} DIV {_MONTHS[whole]} AS BIGINT)"


def _bucket(call: Call) -> str:
    """Returns the beginning of the bucket that a time lies in."""
    width = call.constant(0)
    if len(call.arguments) != 2 or not isinstance(width, dict) or width.get("months"):
        raise call.refused("of months or with an origin", "use date_trunc")
    width_us = int(width.get("days", 0)) * 86_400 * 10**6 + int(width.get("micros", 0))
    if width_us <= 0:
        raise call.refused("without a width", "give an interval above zero")
    since = f"unix_micros({_instant(call, 1)}) - {_EPOCH_MONDAY_US}L"
    bucket = call.scope.let(
        f"({since})", lambda us: f"({us} - pmod({us}, {width_us}L) + {_EPOCH_MONDAY_US}L)"
    )
    return f"CAST(timestamp_micros({bucket}) AS {call.type.spark})"


def _formatted(call: Call) -> str:
    at = 0 if call.arguments[0].type.name != "VARCHAR" else 1
    return f"date_format({call[at]}, {text(_java_format(call, str(call.constant(1 - at))))})"


def _java_format(call: Call, pattern: str) -> str:
    """Returns a format in Java's letters; words stand between quotes, those that follow each other between two."""
    out: list[str] = []
    words = ""
    for plain, code in _FORMAT.findall(pattern):
        if plain or code == "%":
            words += plain or code
            continue
        if code not in _STRFTIME:
            raise call.refused(f"with %{code}", "format it from date_part")
        out += [_quoted(words), _STRFTIME[code]]
        words = ""
    return "".join([*out, _quoted(words)])


def _quoted(words: str) -> str:
    return f"'{words.replace(chr(39), chr(39) * 2)}'" if words else ""


def _interval(unit: str) -> Builder:
    """Returns what makes an interval of a number of units."""
    places = {
        "years": 0,
        "months": 1,
        "weeks": 2,
        "days": 3,
        "hours": 4,
        "minutes": 5,
        "seconds": 6,
    }

    def build(call: Call) -> str:
        given = ["0"] * 7
        given[places[unit]] = (
            f"CAST({call[0]} AS {'DECIMAL(18,6)' if unit == 'seconds' else 'INT'})"
        )
        return f"make_interval({', '.join(given)})"

    return build


def interval(name: str, count: int) -> dict[str, int] | None:
    """Returns the interval of a call of `to_hours` and the like, as the engine's plans have constants of it."""
    parts = {
        "to_years": ("months", 12),
        "to_months": ("months", 1),
        "to_weeks": ("days", 7),
        "to_days": ("days", 1),
        "to_hours": ("micros", 3600 * 10**6),
        "to_minutes": ("micros", 60 * 10**6),
        "to_seconds": ("micros", 10**6),
        "to_milliseconds": ("micros", 1000),
        "to_microseconds": ("micros", 1),
    }
    if name not in parts:
        return None
    part, unit = parts[name]
    return {part: unit * count}


def _seconds(per: str) -> Builder:
    def build(call: Call) -> str:
        seconds = f"CAST({call[0]} AS DECIMAL(18,6)) / {per}"
        return f"make_interval(0, 0, 0, 0, 0, 0, CAST({seconds} AS DECIMAL(18,6)))"

    return build


def _same_zone(call: Call) -> str:
    zone = str(call.constant(0))
    if zone.upper() not in {"UTC", "ETC/UTC", "GMT"}:
        if call.arguments[1].type.name == INSTANT:
            return f"CAST(from_utc_timestamp({call[1]}, {text(zone)}) AS TIMESTAMP_NTZ)"
        return f"to_utc_timestamp(CAST({call[1]} AS TIMESTAMP), {text(zone)})"
    return f"CAST({call[1]} AS {call.type.spark})"


_UNITS: Final[dict[str, Callable[[Call], str]]] = {
    f"to_{unit}": _interval(unit)
    for unit in ("years", "months", "weeks", "days", "hours", "minutes")
}

TIMES: Final[dict[str, Builder]] = {
    "date_trunc": _truncated,
    "datetrunc": _truncated,
    "date_part": _part,
    "datepart": _part,
    "date_diff": _difference,
    "datediff": _difference,
    "time_bucket": _bucket,
    "strftime": _formatted,
    "timezone": _same_zone,
    "epoch": _epoch("unix_micros({}) / 1e6D"),
    "epoch_ms": _of_milliseconds,
    "epoch_us": _epoch("unix_micros({})"),
    "epoch_ns": _epoch("unix_micros({}) * 1000L"),
    "to_timestamp": template("timestamp_micros(CAST(rint({0} * 1e6D) AS BIGINT))"),
    "make_timestamptz": template("timestamp_micros({0})"),
    "make_timestamp": template("CAST(timestamp_micros({0}) AS TIMESTAMP_NTZ)"),
    "make_date": template("make_date(CAST({0} AS INT), CAST({1} AS INT), CAST({2} AS INT))"),
    "last_day": template("last_day({0})"),
    "dayname": template("date_format({0}, 'EEEE')"),
    "monthname": template("date_format({0}, 'MMMM')"),
    "now": template("current_timestamp()"),
    "get_current_timestamp": template("current_timestamp()"),
    "transaction_timestamp": template("current_timestamp()"),
    "current_date": template("current_date()"),
    "today": template("current_date()"),
    "to_milliseconds": _seconds("1000"),
    "to_microseconds": _seconds("1000000"),
    "to_seconds": _seconds("1"),
    **_UNITS,
    **{name: _of_part(name) for name in _PARTS if name != "epoch"},
}
