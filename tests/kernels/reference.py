"""Shreds JSON values in plain Python: the twin that the native kernels are held against.

Written from the rules (docs/format/shredding.md), not from the kernels. A row becomes a dict from the
physical leaf name (`<path>:<type>`) to a canonical form of its value; canonical forms compare
with `==` and tell 1 from 1.0, 0.0 from -0.0, and one NaN like another.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
import sys
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
MAX_PATH_KEYS = 64
MAX_JSON_DEPTH = 1024

Path = tuple[str, ...]
Leaves = dict[str, Any]

# What makes a key be written as a JSON string in a path's text.
_QUOTED = re.compile(r'[.:"\[\] \\\x00-\x1f\x7f]')
_SURROGATE = re.compile("[\ud800-\udfff]")

# json.loads recurses once a level of nesting.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 8 * MAX_JSON_DEPTH))


class BadValueError(ValueError):
    """A text that is not one JSON value."""


@dataclass(frozen=True, slots=True)
class RawNumber:
    """A number that neither int64 nor double holds exactly: its text."""

    text: str


def format_path(path: Path) -> str:
    """Returns the text form of a path of keys."""
    return ".".join(
        json.dumps(key, ensure_ascii=False) if not key or _QUOTED.search(key) else key
        for key in path
    )


def integer(text: str) -> int | RawNumber:
    """Returns the value of an integer's text, or the text where int64 does not hold it."""
    # Python limits the digits of int(): a longer text is out of range anyway.
    if len(text.lstrip("-")) > 19:
        return RawNumber(text)
    value = int(text)
    return value if INT64_MIN <= value <= INT64_MAX else RawNumber(text)


def decimal(text: str) -> float | RawNumber:
    """Returns the double whose shortest spelling has the value of the text, else the text."""
    value = float(text)
    mantissa = re.split("[eE]", text)[0]
    if not mantissa.strip("-0."):
        return value  # zero, whatever the exponent: exact, and the sign is kept
    if math.isinf(value):
        return RawNumber(text)
    try:
        exact = Decimal(text) == Decimal(repr(value))
    except InvalidOperation:
        exact = False
    return value if exact else RawNumber(text)


def _no_constant(name: str) -> Any:
    raise BadValueError(name)


def repaired(text: str) -> str:
    """Returns a string with each lone surrogate replaced."""
    return _SURROGATE.sub("\ufffd", text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {repaired(key): value for key, value in pairs}


def _strings(value: Any) -> Any:
    """Repairs the strings of a parsed value (keys are repaired as objects are made)."""
    if isinstance(value, str):
        return repaired(value)
    if isinstance(value, list):
        return [_strings(item) for item in value]
    if isinstance(value, dict):
        return {key: _strings(item) for key, item in value.items()}
    return value


def parse(text: bytes | str) -> Any:
    """Returns the value of one JSON text; numbers are int, float or RawNumber.

    Raises:
        BadValueError: it is not a JSON value, or nests deeper than the limit.
    """
    if isinstance(text, bytes):
        text = text.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    if nesting(text) > MAX_JSON_DEPTH:
        raise BadValueError("too deep")
    try:
        value = json.loads(
            text,
            parse_int=integer,
            parse_float=decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:
        raise BadValueError(str(error)) from error
    return _strings(value)


def nesting(text: str) -> int:
    """Returns the deepest nesting of brackets outside strings."""
    depth = deepest = 0
    for token in re.finditer(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', text, re.DOTALL):
        mark = token.group()
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def bits(value: float) -> tuple[str, Any]:
    """Returns the canonical form of a double."""
    return ("f", "nan" if math.isnan(value) else struct.pack(">d", value))


def canon(value: Any) -> Any:
    """Returns the canonical form of any JSON value (bytes and non-finite doubles as text)."""
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("b", value)
    if isinstance(value, int):
        return ("i", value)
    if isinstance(value, float):
        if math.isfinite(value):
            return bits(value)
        return ("s", non_finite(value))
    if isinstance(value, RawNumber):
        return ("n", value.text)
    if isinstance(value, str):
        return ("s", value)
    if isinstance(value, bytes):
        return ("s", base64_text(value))
    if isinstance(value, list):
        return ("l", tuple(canon(item) for item in value))
    return ("o", frozenset((key, canon(item)) for key, item in value.items()))


def non_finite(value: float) -> str:
    """Returns how JSON output spells NaN and the infinities: as strings."""
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def base64_text(value: bytes) -> str:
    """Returns how JSON output spells bytes."""
    return base64.b64encode(value).decode()


def scalar_type(value: Any) -> str | None:
    """Returns the leaf type of a scalar, or None for what only `json` holds."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "i64"
    if isinstance(value, float):
        return "f64"
    if isinstance(value, str):
        return "str"
    return "bin" if isinstance(value, bytes) else None


def typed(value: Any) -> Any:
    """Returns the canonical form of a typed leaf's value."""
    if isinstance(value, float):
        return bits(value)
    if isinstance(value, bytes):
        return ("bin", value)
    return canon(value)


def leaf(value: Any) -> tuple[str, Any]:
    """Returns the leaf type and canonical value of anything but a non-empty object."""
    if not isinstance(value, list):
        kind = scalar_type(value)
        return ("json", canon(value)) if kind is None else (kind, typed(value))
    kinds = {scalar_type(item) for item in value}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None or kind == "bin":
        return "json[]", ("l", tuple(canon(item) for item in value))
    return f"{kind}[]", ("l", tuple(typed(item) for item in value))


def shred(value: Any, path: Path = (), into: Leaves | None = None) -> Leaves:
    """Returns the leaves of one value: physical name to canonical value."""
    leaves: Leaves = {} if into is None else into
    if isinstance(value, dict) and value and len(path) < MAX_PATH_KEYS:
        for key, item in value.items():
            shred(item, (*path, key), leaves)
    elif isinstance(value, dict):
        leaves[f"{format_path(path)}:json"] = canon(value)
    else:
        kind, canonical = leaf(value)
        leaves[f"{format_path(path)}:{kind}"] = canonical
    return leaves


def shred_json(text: bytes | str) -> Leaves:
    """Returns the leaves of one JSON text.

    Raises:
        BadValueError: it is not a JSON value.
    """
    return shred(parse(text))
