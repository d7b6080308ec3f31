"""Columns of tagged values as the JSON that readers get: a number as a number, a text as a text."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore_query.answer.json_texts import plain, quoted_texts

_MARK: Final = "STRUCT(__kind UTINYINT"
_TAGGED: Final = "STRUCT(__kind UTINYINT, __number DOUBLE, __rest BIGINT, __text VARCHAR)"
_NUMBER, _TEXT = 1, 2

NUMBERS: Final = "DOUBLE"
"""The type of a column of tagged numbers that are given as doubles."""

MAX_WHOLE: Final = 1e38
"""Whole numbers from here on are spelled with an exponent: they may have more digits than the engine's integers."""

_MAX_INT64: Final = 1e18
"""Whole numbers below it are 64-bit integers."""


def tagged_columns(types: Sequence[str]) -> dict[int, str]:
    """Returns the positions and types of columns that hold tagged values."""
    return {i: sql_type for i, sql_type in enumerate(types) if _MARK in sql_type}


def plain_name(sql_type: str) -> str:
    """Returns the type of a column as readers get it."""
    if _MARK not in sql_type:
        return sql_type
    return "JSON[]" if sql_type == f"{_TAGGED}[]" else "JSON"


def plain_numbers(first: pa.RecordBatch | None, positions: Collection[int]) -> list[int]:
    """Returns the positions of columns of tagged numbers that doubles hold, by the first batch of an answer."""
    if first is None:
        return list(positions)
    return [each for each in positions if not rounds(pa.chunked_array([first.column(each)]))]


def rounds(column: pa.ChunkedArray) -> bool:
    """Tells whether tagged numbers are among a column's that no double holds."""
    for chunk in column.chunks:
        _, _, rests, texts = chunk.flatten()
        exact = pc.fill_null(pc.not_equal(rests, 0), False)
        if pc.any(exact).as_py() or texts.null_count < len(texts):
            return True
    return False


def json_of_tagged(column: pa.ChunkedArray, sql_type: str) -> pa.ChunkedArray:
    """Returns a column that holds tagged values as JSON texts, or as lists of them."""
    if sql_type == NUMBERS:
        return pa.chunked_array([chunk.flatten()[1] for chunk in column.chunks], pa.float64())
    chunks = [_texts(chunk, sql_type) for chunk in column.chunks]
    return pa.chunked_array(chunks, arrow_type(sql_type))


def arrow_type(sql_type: str) -> pa.DataType:
    """Returns the type that the texts of a column have."""
    if sql_type == NUMBERS:
        return pa.float64()
    return pa.list_(pa.string()) if sql_type == f"{_TAGGED}[]" else pa.string()


def _texts(array: pa.Array, sql_type: str) -> pa.Array:
    if sql_type == _TAGGED:
        return _values(array)
    if sql_type == f"{_TAGGED}[]" and isinstance(array, pa.ListArray):
        items = _values(array.values)
        return pa.ListArray.from_arrays(array.offsets, items, mask=array.is_null())
    return pa.array(
        [None if each is None else _json(each) for each in array.to_pylist()], pa.string()
    )


def _values(array: pa.StructArray) -> pa.Array:
    """Returns tagged values as JSON texts, a column at a time."""
    kinds, numbers, rests, texts = array.flatten()
    spelled = pc.if_else(pc.equal(kinds, _TEXT), quoted_texts(texts), texts)
    is_number = pc.equal(kinds, _NUMBER)
    if not pc.any(is_number).as_py():
        return spelled
    return pc.if_else(
        pc.fill_null(is_number, False), pc.coalesce(texts, _numbers(numbers, rests)), spelled
    )


def _numbers(numbers: pa.Array, rests: pa.Array) -> pa.Array:
    """Returns numbers as JSON: whole ones without a fraction."""
    is_large = pc.fill_null(pc.greater_equal(pc.abs(numbers), _MAX_INT64), False)
    is_whole = pc.and_(pc.invert(is_large), pc.equal(pc.trunc(numbers), numbers))
    whole = pc.if_else(is_whole, numbers, None).cast(pa.int64()).cast(pa.string())
    texts = pc.coalesce(whole, numbers.cast(pa.string()))
    exact = pc.fill_null(pc.not_equal(rests, 0), False)
    finite = pc.fill_null(pc.is_finite(numbers), True)
    if pc.any(pc.or_(exact, is_large)).as_py() or not pc.all(finite).as_py():
        rows = zip(texts.to_pylist(), numbers.to_pylist(), rests.to_pylist(), strict=True)
        return pa.array([_number_text(*row) for row in rows], pa.string())
    return texts


def _number_text(text: str | None, number: float | None, rest: int | None) -> str | None:
    if number is None or text is None:
        return None
    if not math.isfinite(number):
        return json.dumps(str(number))
    return str(int(number) + (rest or 0)) if rest or _is_large_integer(number) else text


def _is_large_integer(number: float) -> bool:
    return number.is_integer() and _MAX_INT64 <= abs(number) < MAX_WHOLE


def json_of_value(value: Mapping[str, Any]) -> str:
    """Returns one tagged value as JSON."""
    return json.dumps(_untagged(value), ensure_ascii=False)


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Returns what a value of the engine is in JSON, with the tagged values in it."""
    if isinstance(value, Mapping):
        if "__kind" in value:
            return _untagged(value)
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            # A MAP comes as a list of pairs.
            return {_key(key): _plain(item) for key, item in value}
        return [_plain(item) for item in value]
    return plain(value)


def _key(value: Any) -> str:
    key = _plain(value)
    return key if isinstance(key, str) else json.dumps(key, ensure_ascii=False)


def _untagged(value: Mapping[str, Any]) -> Any:
    kind, text = value["__kind"], value["__text"]
    if kind is None:
        return None
    if kind == _TEXT:
        return text
    if kind != _NUMBER or text is not None:
        return json.loads(text)
    number, rest = value["__number"], value["__rest"]
    if not math.isfinite(number):
        return str(number)
    whole = number.is_integer() and (rest or abs(number) < MAX_WHOLE)
    return int(number) + rest if whole else number
