"""Columns of a result as JSON text, a column at a time: most types need no Python object a value."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa

from tracestore.arrow_compute import pc

_ESCAPED: Final = re.compile('["\\\\\x00-\x1f]')
_TO_ESCAPE: Final = '["\\\\\\x00-\\x1f]'
_LINE_FEED: Final = re.compile(b"[\r\n]")
_LINES: Final = re.compile("[\r\n]+")
_NULL: Final = "null"


def json_texts(column: pa.Array, sql_type: str) -> pa.Array:
    """Returns each value of a column as JSON, `null` where it is missing.

    Columns of type JSON go through as the text they are; times are ISO 8601, bytes base64, and numbers
    that JSON has no form for their names as text.
    """
    if sql_type == "JSON":
        texts = _on_one_line(column)
    elif pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        texts = column.cast(pa.string())
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = quoted_texts(column)
    elif pa.types.is_timestamp(column.type) and column.type.unit == "us" and _is_utc(column.type):
        texts = _times(column)
    else:
        return pa.array(_by_value(column, sql_type), pa.string())
    return pc.fill_null(texts, _NULL)


def _on_one_line(texts: pa.Array) -> pa.Array:
    """Returns JSON texts without line feeds, which stand in them as white space alone: a row is one line."""
    data = texts.buffers()[-1]
    if data is None or _LINE_FEED.search(data) is None:
        return texts
    return pc.replace_substring_regex(texts, pattern="[\r\n]+", replacement=" ")


def quoted_texts(column: pa.Array) -> pa.Array:
    """Returns texts in quotes; escaped only where there is something to escape."""
    column = column.cast(pa.string())
    rough = pc.match_substring_regex(column, _TO_ESCAPE)
    if pc.any(rough).as_py():
        escaped = [None if text is None else _inside(text) for text in column.to_pylist()]
        column = pa.array(escaped, pa.string())
    return pc.binary_join_element_wise('"', column, '"', "")


def _inside(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1] if _ESCAPED.search(text) else text


def _times(column: pa.Array) -> pa.Array:
    """Returns times as `plain` writes them: without a fraction where it is zero."""
    texts = pc.strftime(
        column, format="%Y-%m-%dT%H:%M:%S"
    )  # Arrow adds the six digits of microseconds
    whole = pc.replace_substring_regex(texts, pattern=r"\.000000$", replacement="")
    return pc.binary_join_element_wise('"', whole, 'Z"', "")


def _is_utc(arrow_type: pa.TimestampType) -> bool:
    return arrow_type.tz in {"UTC", "Etc/UTC"}


def _by_value(column: pa.Array, sql_type: str) -> list[str]:
    if sql_type == "JSON[]":
        return [
            _NULL
            if items is None
            else "["
            + ",".join(_NULL if item is None else _LINES.sub(" ", item) for item in items)
            + "]"
            for items in column.to_pylist()
        ]
    found = python_values(column)
    if pa.types.is_floating(column.type):
        return [_NULL if number is None else _float(number) for number in found]
    return [json.dumps(plain(value), ensure_ascii=False) for value in found]


def python_values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Returns a column's values as Python's; a time that Python has no value for is text."""
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        # Nanoseconds, and years before 1 or after 9999.
        return [_python_value(value) for value in column]


def _python_value(scalar: pa.Scalar) -> Any:
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_struct(kind):
        return {name: _python_value(scalar[name]) for name in kind.names}
    if pa.types.is_map(kind):
        pairs = zip(scalar.values.field(0), scalar.values.field(1), strict=True)
        return [(_python_value(key), _python_value(value)) for key, value in pairs]
    if pa.types.is_union(kind):
        return _python_value(scalar.value)
    if pa.types.is_nested(kind):
        return [_python_value(value) for value in scalar.values]
    return _leaf_value(scalar)


def _leaf_value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return scalar.cast(pa.string()).as_py()


def interval_text(interval: pa.MonthDayNano) -> str:
    """Returns an interval as a duration of ISO 8601: months, days, and seconds with their fraction."""
    seconds, nanoseconds = divmod(abs(interval.nanoseconds), 1_000_000_000)
    fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    sign = "-" if interval.nanoseconds < 0 else ""
    return f"P{interval.months}M{interval.days}DT{sign}{seconds}{fraction}S"


def _float(number: float) -> str:
    return repr(number) if math.isfinite(number) else f'"{number}"'


def plain(value: Any) -> Any:
    """Returns a Python value as one that JSON has: times as ISO 8601, bytes as base64, NaN as text."""
    if isinstance(value, pa.MonthDayNano):
        return interval_text(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        # A MAP comes as a list of pairs.
        return [plain(item) for item in value]
    for kind, convert in _PLAIN:
        if isinstance(value, kind):
            return convert(value)
    return value


_PLAIN: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (float, lambda number: number if math.isfinite(number) else str(number)),
    ((dt.datetime, dt.date, dt.time), lambda time: time.isoformat().replace("+00:00", "Z")),
    (dt.timedelta, lambda span: span.total_seconds()),
    (
        decimal.Decimal,
        lambda number: int(number) if number == number.to_integral_value() else float(number),
    ),
    (bytes, lambda data: base64.b64encode(data).decode()),
)


def json_lines(batch: pa.RecordBatch, names: list[str], types: list[str]) -> bytes:
    """Returns the rows of a batch as NDJSON.

    Args:
        batch: rows of a result.
        names: of its columns.
        types: the engine's type of each.
    """
    if batch.num_rows == 0:
        return b""
    parts: list[Any] = []
    for at, (name, sql_type) in enumerate(zip(names, types, strict=True)):
        key = json.dumps(name, ensure_ascii=False)
        parts += [("," if at else "{") + key + ":", json_texts(batch.column(at), sql_type)]
    # Large: the lines of one batch may pass the 2 GiB that 32-bit offsets reach.
    wide = [
        part.cast(pa.large_string())
        if isinstance(part, pa.Array)
        else pa.scalar(part, pa.large_string())
        for part in (*parts, "}\n", "")
    ]
    lines = pc.binary_join_element_wise(*wide)
    return bytes(_data_of(lines))


def _data_of(texts: pa.LargeStringArray) -> memoryview:
    """Returns the bytes of all texts, one behind the other."""
    _, offsets, data = texts.buffers()
    ends = memoryview(offsets).cast("q")
    return memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]]
