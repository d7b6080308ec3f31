"""Casts of doubles to other numbers: Spark's go by their decimal digits, those of the engine by their bits."""

from __future__ import annotations

from typing import Final

from tracestore_query.spark import values
from tracestore_query.spark.calls import Scope
from tracestore_query.spark.types import EngineType

_BOUNDS: Final = {"UBIGINT": float(2**64), "HUGEINT": float(2**127), "UHUGEINT": float(2**128)}
"""The first integers that are too large for types that are decimals on Spark."""

_BIGINT_DIGITS: Final = 18
"""Digits that each integer of 64 bits can have."""


def to_wide_integer(sql: str, to: EngineType, scope: Scope, *, is_try: bool) -> str:
    """Returns an integer of a type that is a decimal of no digits behind its point on Spark."""

    def made(whole: str) -> str:
        size = whole if to.name.startswith("U") else f"abs({whole})"
        beyond = "raise_error('an integer of 39 digits has no equal on Spark')"
        return (
            f"CASE WHEN {whole} IS NULL THEN NULL "
            f"WHEN {size} >= 0 AND {size} < least({_BOUNDS[to.name]!r}D, 1e38D) "
            f"THEN CAST({values.exact_integer(whole)} AS {to.spark}) "
            f"WHEN {size} >= 1e38D AND {size} < {_BOUNDS[to.name]!r}D THEN {beyond} "
            f"ELSE {_otherwise(is_try)} END"
        )

    return scope.let(f"rint(CAST({sql} AS DOUBLE))", made)


def to_decimal(sql: str, to: EngineType, scope: Scope, *, is_try: bool) -> str:
    """Returns a decimal: the double is scaled as one, then rounded half away from zero."""

    def made(whole: str) -> str:
        is_short = to.width <= _BIGINT_DIGITS
        integer = f"CAST({whole} AS BIGINT)" if is_short else values.exact_integer(whole)
        number = f"CAST(concat(CAST({integer} AS STRING), 'E-{to.scale}') AS {to.spark})"
        return (
            f"CASE WHEN {whole} IS NULL THEN NULL WHEN abs({whole}) < 1e{to.width}D THEN {number} "
            f"ELSE {_otherwise(is_try)} END"
        )

    return scope.let(f"round(CAST({sql} AS DOUBLE) * 1e{to.scale}D, 0)", made)


def to_float(sql: str, *, is_try: bool) -> str:
    """Returns a number of 32 bits; what is beyond them is infinite on Spark."""
    is_beyond = f"abs(CAST({sql} AS FLOAT)) = float('Infinity') AND abs({sql}) < double('Infinity')"
    return f"IF({is_beyond}, {_otherwise(is_try)}, CAST({sql} AS FLOAT))"


def _otherwise(is_try: bool) -> str:
    return "NULL" if is_try else "raise_error('cannot convert: out of range')"
