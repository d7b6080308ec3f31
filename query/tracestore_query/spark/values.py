"""Values of mixed type in Spark's words: the tagged struct, as the engine's macros make and read one.

`language/value_macros.py` says what each of them means. Here, too, the order of the fields is the order of values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tracestore_query.language.value_macros import EXACT_INTEGERS
from tracestore_query.spark.names import text

Let = Callable[[str, Callable[[str], str]], str]
"""Gives an expression to what makes a text of it several times."""

_Rule = Callable[[str, Let], str]

_DIGITS: Final = "[0-9]+(_[0-9]+)*"
_NUMERIC: Final = text(
    rf"(?i)^\s*[+-]?(({_DIGITS}[.]?({_DIGITS})?|[.]{_DIGITS})(e[+-]?{_DIGITS})?|nan|inf|infinity)\s*$"
)
_WHOLE_AS_DOUBLE: Final = 1e18
_LONG: Final = 19
"""Letters of the shortest text of 16 digits with an exponent: of 15 digits or less there is but one text."""

_FEW_BITS: Final = "1e-320D"
"""Below this Java has two digits where one would do."""

_FIRST_FIXED, _FIRST_WITH_EXPONENT = "1e-4D", "1e16D"


def tagged(kind: int, number: str = "", rest: str = "", words: str = "") -> str:
    """Returns a value of a kind."""
    return (
        f"named_struct('__kind', {kind}S, '__number', {number or 'CAST(NULL AS DOUBLE)'}, "
        f"'__rest', {rest or 'CAST(NULL AS BIGINT)'}, '__text', {words or 'CAST(NULL AS STRING)'})"
    )


def double_of_text(value: str) -> str:
    """Returns the double that a text spells, NULL where it spells none."""
    # Java takes suffixes and hexadecimal digits for parts of a number.
    return f"IF({value} RLIKE {_NUMERIC}, try_cast(replace({value}, '_', '') AS DOUBLE), NULL)"


def exact_integer(number: str) -> str:
    """Returns the integer that a whole double of at most 38 digits is: Spark's own cast goes by its decimal digits."""
    high = f"floor(abs({number}) / 18446744073709551616D)"
    low = f"(abs({number}) - {high} * 18446744073709551616D)"
    return (
        f"(CAST(signum({number}) AS DECIMAL(1,0)) * CAST("
        f"CAST({high} AS DECIMAL(19,0)) * CAST(18446744073709551616 AS DECIMAL(20,0)) "
        f"+ CAST(floor({low} / 2D) AS DECIMAL(19,0)) * CAST(2 AS DECIMAL(1,0)) "
        f"+ CAST({low} % 2D AS DECIMAL(1,0)) AS DECIMAL(38,0)))"
    )


def double_text(number: str, let: Let) -> str:
    """Returns the text of a double as the engine spells it."""
    return let(f"CAST({number} AS STRING)", lambda java: _spelled(number, java, let))


def _spelled(number: str, java: str, let: Let) -> str:
    size = f"abs({number})"
    others = let(_shortest(number, java), lambda digits: _of_digits(size, digits))
    return (
        f"CASE WHEN {number} IS NULL THEN NULL WHEN isnan({number}) THEN 'nan' "
        f"WHEN {size} = double('Infinity') THEN IF({number} > 0, 'inf', '-inf') "
        f"WHEN {size} = 0 OR ({size} >= 1e-3D AND {size} < 1e7D) THEN {java} "
        f"ELSE {others} END"
    )


def _shortest(number: str, java: str) -> str:
    """Returns the fewest digits that make a double: before version 19 Java has more of every fourteenth."""
    shorter = [f"format_string('%.{digits}e', {number})" for digits in (0, 14, 15, 16)]
    checks = " ".join(
        f"WHEN double({each}) = {number} THEN regexp_replace({each}, '[.]?0*e', 'e')"
        for each in shorter
    )
    is_short = f"char_length({java}) < {_LONG} AND abs({number}) >= {_FEW_BITS}"
    return f"CASE WHEN {is_short} THEN {java} {checks} ELSE {java} END"


def _of_digits(size: str, digits: str) -> str:
    fixed = (
        f"regexp_replace(regexp_replace(CAST(CAST({digits} AS DECIMAL(38,21)) AS STRING), '0+$', ''), "
        "'[.]$', '.0')"
    )
    exponent = (
        f"regexp_replace(regexp_replace(regexp_replace(regexp_replace({digits}, '[.]0E', 'E'), "
        "'E([0-9])', 'e+$1'), 'E-', 'e-'), '(e[+-])([0-9])$', '$10$2')"
    )
    is_fixed = f"{size} >= {_FIRST_FIXED} AND {size} < {_FIRST_WITH_EXPONENT}"
    return f"IF({is_fixed}, {fixed}, {exponent})"


def json_of_string(value: str) -> str:
    """Returns the JSON text of a string."""
    return f"to_json(CAST({value} AS VARIANT))"


def canonical(value: str) -> str:
    """Returns a JSON text with its keys sorted and its numbers in one form."""
    return f"to_json(try_parse_json({value}))"


def string_of_json(value: str) -> str:
    """Returns the string that a JSON text of one spells."""
    return (
        f"IF(instr({value}, '\\\\') = 0, substring({value}, 2, char_length({value}) - 2), "
        f"CAST(try_parse_json({value}) AS STRING))"
    )


def of_integer(value: str) -> str:
    """Returns an integer as a value."""
    wide = f"CAST({value} AS DECIMAL(38,0))"
    # Doubles beyond 2^53 are even.
    near = f"CAST(CAST(CAST({value} AS DOUBLE) / 2D AS BIGINT) AS DECIMAL(38,0)) * CAST(2 AS DECIMAL(1,0))"
    rest = f"IF({value} BETWEEN -{EXACT_INTEGERS} AND {EXACT_INTEGERS}, 0L, CAST({wide} - {near} AS BIGINT))"
    return f"IF({value} IS NULL, NULL, {tagged(1, f'CAST({value} AS DOUBLE)', rest)})"


def of_double(value: str) -> str:
    """Returns a double as a value."""
    return f"IF({value} IS NULL, NULL, {tagged(1, value, '0L')})"


def of_text(value: str) -> str:
    """Returns a string as a value."""
    return f"IF({value} IS NULL, NULL, {tagged(2, words=value)})"


def of_boolean(value: str) -> str:
    """Returns a boolean as a value."""
    return f"IF({value} IS NULL, NULL, {tagged(3, words=f'CAST({value} AS STRING)')})"


def of_array(value: str) -> str:
    """Returns the JSON text of an array as a value."""
    return f"IF({value} IS NULL, NULL, {tagged(4, words=canonical(value))})"


def of_object(value: str) -> str:
    """Returns the JSON text of an object as a value."""
    return f"IF({value} IS NULL, NULL, {tagged(5, words=canonical(value))})"


def of_number(value: str, let: Let) -> str:
    """Returns the text of a number as a value."""
    number = f"coalesce({double_of_text(value)}, IF({value} LIKE '-%', double('-Infinity'), double('Infinity')))"
    return let(number, lambda known: _of_number(value, known, let))


def _of_number(value: str, number: str, let: Let) -> str:
    is_whole = f"NOT ({value} RLIKE '[.eE]')"
    rest = (
        f"IF({is_whole}, try_cast(try_cast({value} AS DECIMAL(38,0)) - "
        f"IF(abs({number}) < 1e38D, {exact_integer(number)}, NULL) AS BIGINT), NULL)"
    )
    spelled = double_text(number, let)
    kept = (
        f"IF(IF({is_whole}, {rest} IS NULL, char_length({value}) > 18 AND NOT ({value} ILIKE '%e%') "
        f"AND {value} <> {spelled}), {value}, NULL)"
    )
    made = tagged(1, number, f"coalesce({rest}, 0L)", kept)
    return f"IF({value} IS NULL, NULL, {made})"


def of_json(value: str, let: Let) -> str:
    """Returns a JSON text as a value."""
    first = f"substring({value}, 1, 1)"
    return (
        f"CASE WHEN {value} IS NULL OR {value} = 'null' THEN NULL "
        f"WHEN {first} = '\"' THEN {tagged(2, words=string_of_json(value))} "
        f"WHEN {first} IN ('t', 'f') THEN {tagged(3, words=value)} "
        f"WHEN {first} = '[' THEN {tagged(4, words=canonical(value))} "
        f"WHEN {first} = '{{' THEN {tagged(5, words=canonical(value))} "
        f"ELSE {of_number(value, let)} END"
    )


def _number_text(value: str, let: Let) -> str:
    number = f"{value}.__number"
    return (
        f"CASE WHEN {value}.__text IS NOT NULL THEN {value}.__text "
        f"WHEN {value}.__rest <> 0 THEN CAST({exact_integer(number)} + {value}.__rest AS STRING) "
        f"WHEN abs({number}) < {_WHOLE_AS_DOUBLE}D AND rint({number}) = {number} "
        f"THEN CAST(CAST({number} AS BIGINT) AS STRING) "
        f"WHEN {_is_integer(value)} THEN CAST({exact_integer(number)} AS STRING) "
        f"ELSE {double_text(number, let)} END"
    )


def _is_integer(value: str) -> str:
    number = f"{value}.__number"
    return f"({value}.__kind = 1 AND abs({number}) < 1e38D AND rint({number}) = {number})"


def as_number(value: str) -> str:
    """Returns the double of a number, NULL for other kinds."""
    return f"{value}.__number"


def as_text(value: str) -> str:
    """Returns a string, NULL for other kinds."""
    return f"IF({value}.__kind = 2, {value}.__text, NULL)"


def as_boolean(value: str) -> str:
    """Returns a boolean, NULL for other kinds."""
    return f"IF({value}.__kind = 3, {value}.__text = 'true', NULL)"


def as_whole(value: str) -> str:
    """Returns a whole number, NULL for other values."""
    whole = f"{exact_integer(f'{value}.__number')} + {value}.__rest"
    return f"IF({_is_integer(value)}, CAST({whole} AS DECIMAL(38,0)), NULL)"


def as_fraction(value: str) -> str:
    """Returns a number that is not whole, NULL for other values."""
    return f"IF(NOT {_is_integer(value)}, {value}.__number, NULL)"


def as_container(value: str) -> str:
    """Returns the JSON text of an array or an object, NULL for other kinds."""
    return f"IF({value}.__kind >= 4, {value}.__text, NULL)"


def as_varchar(value: str, let: Let) -> str:
    """Returns the text that a value of any kind spells."""
    return f"IF({value}.__kind = 1, {_number_text(value, let)}, {value}.__text)"


def as_json(value: str, let: Let) -> str:
    """Returns the JSON text of a value."""
    return (
        f"CASE {value}.__kind WHEN 1S THEN {_number_text(value, let)} "
        f"WHEN 2S THEN {json_of_string(f'{value}.__text')} ELSE {value}.__text END"
    )


def type_word(value: str) -> str:
    """Returns the name of a value's own type."""
    return (
        f"CASE {value}.__kind WHEN 1S THEN CASE WHEN {value}.__text IS NOT NULL THEN 'number' "
        f"WHEN rint({value}.__number) = {value}.__number THEN 'int64' ELSE 'double' END "
        "WHEN 2S THEN 'string' WHEN 3S THEN 'bool' WHEN 4S THEN 'array' WHEN 5S THEN 'object' END"
    )


def functions(let: Let) -> dict[str, Callable[[str], str]]:
    """Returns what makes a value and what reads one, by the names of the engine's macros of one value.

    Each writes its argument several times.
    """
    return {name: _with(rule, let) for name, rule in _RULES.items()}


def _with(rule: _Rule, let: Let) -> Callable[[str], str]:
    return lambda value: rule(value, let)


def _alone(rule: Callable[[str], str]) -> _Rule:
    """Returns a rule that gives no name to what is in it."""
    return lambda value, let: rule(value)  # noqa: ARG005 - as the others are called


_RULES: Final[dict[str, _Rule]] = {
    "__of_integer": _alone(of_integer),
    "__of_double": _alone(of_double),
    "__of_text": _alone(of_text),
    "__of_boolean": _alone(of_boolean),
    "__of_array": _alone(of_array),
    "__of_object": _alone(of_object),
    "__of_number": of_number,
    "__of_json": of_json,
    "__as_number": _alone(as_number),
    "__as_text": _alone(as_text),
    "__as_boolean": _alone(as_boolean),
    "__as_whole": _alone(as_whole),
    "__as_fraction": _alone(as_fraction),
    "__as_container": _alone(as_container),
    "__as_varchar": as_varchar,
    "__as_json": as_json,
    "__type_word": _alone(type_word),
}
