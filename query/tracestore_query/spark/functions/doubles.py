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


def json_text(number: str, scope: Scope) -> str:
    """Returns the text of JSON of a double: as JavaScript spells it, with `.0` behind what is whole."""
    size = f"abs({number})"

    def made(text: str) -> str:
        small = f"regexp_replace(CAST(CAST({text} AS DECIMAL(38,30)) AS STRING), '0+$', '')"
        return (
            f"CASE {text} WHEN 'nan' THEN 'NaN' WHEN 'inf' THEN 'Infinity' WHEN '-inf' THEN '-Infinity' "
            f"ELSE CASE WHEN instr({text}, 'e') = 0 THEN {text} "
            f"WHEN {size} >= 1e16D AND {size} < 1e21D "
            f"THEN concat(CAST(CAST({text} AS DECIMAL(38,0)) AS STRING), '.0') "
            f"WHEN {size} >= 1e-6D AND {size} < 1D THEN {small} "
            f"ELSE regexp_replace(replace({text}, 'e+', 'e'), 'e-0', 'e-') END END"
        )

    return scope.let(values.double_text(number, scope.let), made)


def _otherwise(is_try: bool) -> str:
    return "NULL" if is_try else "raise_error('cannot convert: out of range')"
