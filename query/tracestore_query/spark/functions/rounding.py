"""Functions that round numbers, each as the engine rounds: Spark's go by the decimal digits of a double."""

from __future__ import annotations

from typing import Final

from tracestore_query.spark.calls import Builder, Call
from tracestore_query.spark.types import FLOATS, INTEGERS

_WHOLE_FROM: Final = float(2**52)
"""Doubles from here on are whole."""

_MOST_DIGITS: Final = 22
"""Powers of ten up to this one are exact as doubles."""

_HALVES: Final = 134217729.0
"""What splits a double into two of 26 bits, whose products are exact: 2^27 + 1."""


def to_whole(name: str) -> Builder:
    """Returns what rounds in a direction: Spark's function gives an integer of 64 bits, which has no negative zero."""

    def build(call: Call) -> str:
        if call.arguments[0].type.name in INTEGERS:
            return call[0]
        if call.arguments[0].type.name not in FLOATS:
            return f"CAST({name}({call[0]}) AS {call.type.spark})"
        return call.let(0, lambda x: _small(call, x, f"{name}({x})"))

    return build


def truncated(call: Call) -> str:
    """Returns a number without what is behind its point."""
    if call.arguments[0].type.name in INTEGERS and len(call.arguments) == 1:
        return call[0]
    if call.arguments[0].type.name not in FLOATS or len(call.arguments) != 1:
        raise call.refused("of these types", "convert to DOUBLE first")
    return call.let(0, lambda x: _small(call, x, f"CAST({x} AS BIGINT)"))


def rounded(call: Call) -> str:
    """Returns a number rounded half away from zero."""
    kind = call.arguments[0].type.name
    if kind in INTEGERS and len(call.arguments) == 1:
        return call[0]
    if kind not in FLOATS:
        return f"CAST(round({', '.join(call.texts)}) AS {call.type.spark})"
    if len(call.arguments) == 1:
        return call.let(0, lambda x: _small(call, x, f"round({x}, 0)"))
    digits = call.constant(1)
    if digits is None:
        return f"CAST(NULL AS {call.type.spark})"
    if abs(int(digits)) > _MOST_DIGITS:
        raise call.refused(f"to {digits} digits", f"give at most {_MOST_DIGITS}")
    make = _to_digits if int(digits) > 0 else _to_tens
    number = call[0] if kind == "DOUBLE" else f"CAST({call[0]} AS DOUBLE)"
    made = call.scope.let(number, lambda x: make(call, x, 10.0 ** abs(int(digits))))
    return made if kind == "DOUBLE" else f"CAST({made} AS {call.type.spark})"


def _small(call: Call, x: str, whole: str) -> str:
    """Returns what rounding makes of a number, which it leaves as it is where all are whole."""
    made = f"CAST({_signed(call, x, whole)} AS {call.type.spark})"
    return f"IF(abs({x}) < {_WHOLE_FROM}D, {made}, {x})"


def _signed(call: Call, x: str, whole: str) -> str:
    """Returns a whole number: zero has the sign of what was rounded to it."""
    return call.scope.let(whole, lambda made: f"IF({made} = 0, {x} * 0D, {made})")


def _to_tens(call: Call, x: str, power: float) -> str:
    def made(scaled: str) -> str:
        whole = _signed(
            call, x, f"IF(abs({scaled}) < {_WHOLE_FROM}D, round({scaled}, 0), {scaled})"
        )
        return f"({whole} * {power!r}D)"

    return call.scope.let(f"({x} / {power!r}D)", made)


def _to_digits(call: Call, x: str, power: float) -> str:
    """Returns a double with some digits behind the point: what is less than a half is so before it is scaled."""

    def made(scaled: str) -> str:
        near = f"round({scaled}, 0)"
        is_less = f"signum({scaled}) * {_lost(x, scaled, power)} < 0"
        whole = (
            f"IF(abs({near} - {scaled}) = 0.5D AND {is_less}, {near} - signum({scaled}), {near})"
        )
        whole = f"IF(abs({scaled}) < {_WHOLE_FROM}D, {whole}, {scaled})"
        found = f"{_signed(call, x, whole)} / {power!r}D"
        return f"IF(abs({scaled}) = double('Infinity'), {x}, {found})"

    return call.scope.let(f"({x} * {power!r}D)", made)


def _lost(x: str, product: str, factor: float) -> str:
    """Returns what a product of doubles lost when it was rounded, as T. J. Dekker computes it."""
    high = factor * _HALVES - (factor * _HALVES - factor)
    low = factor - high
    first = f"({x} * {_HALVES}D - ({x} * {_HALVES}D - {x}))"
    second = f"({x} - {first})"
    return (
        f"((({first} * {high!r}D - {product}) + {first} * {low!r}D + {second} * {high!r}D) "
        f"+ {second} * {low!r}D)"
    )
