"""Casts of the engine in Spark's words: what one rounds, the other cuts off, and what texts spell."""

from __future__ import annotations

from typing import Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.spark import values
from tracestore_query.spark.calls import Scope, Typed
from tracestore_query.spark.constants import literal
from tracestore_query.spark.functions import doubles
from tracestore_query.spark.names import named, text
from tracestore_query.spark.types import FLOATS, INSTANT, INTEGERS, TIMES, EngineType, is_value

_DATE: Final = text(r"^\s*[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2}(\s*$|[ T][0-9]{1,2}:[0-9]{1,2}.*)")
_INTEGER: Final = text(r"^\s*[+-]?[0-9]+(_[0-9]+)*\s*$")
_OF_BITS: Final = text(r"(?i)\A0(x[0-9a-f](_?[0-9a-f]){0,15}|b[01](_?[01]){0,63})\z")
_BOOLEAN: Final = text(r"(?i)\A(true|false|t|f|yes|no|y|n|1|0)\z")
_IN_STRINGS: Final = {
    "INTEGER": text(r"(?i)\A( *-?[0-9]+ *|0x[0-9a-f]+|0b[01]+)\z"),
    "FLOAT": text(r"\A[^+_\s][^_\s]*\z"),
    "DOUBLE": text(r"\A[^+_\s][^_\s]*\z"),
    "BOOLEAN": text("[a-zA-Z]"),
}
"""What strings of JSON may look like to be values of a type: less than other texts."""

_COARSE: Final = frozenset({"TIMESTAMP_S", "TIMESTAMP_MS"})
"""Times that the engine rounds; Spark has but one, of microseconds."""


def cast(value: Typed, to: EngineType, scope: Scope, *, is_try: bool) -> str:
    """Returns a value in another type: NULL where it cannot be converted and `is_try`, else an error.

    Raises:
        SparkRefusedError: where Spark's cast means something else.
    """
    source = value.type
    if (
        source == to
        or source.name == "NULL"
        or (source.spark == to.spark and not _is_checked(source, to))
    ):
        return value.sql if source.name != "NULL" else f"CAST(NULL AS {to.spark})"
    if (
        isinstance(value.constant, int)
        and source.name in INTEGERS
        and to.name in {"BIGINT", "DOUBLE"}
    ):
        return literal(value.constant, to)
    if source.is_list and to.is_list:
        return _each(value, to, scope, is_try=is_try)
    if source.name == "STRUCT" and to.name == "STRUCT":
        return _fields(value, to, scope, is_try=is_try)
    if source.is_json:
        return _of_json(value, to, scope, is_try=is_try)
    return scope.let(value.sql, lambda sql: _scalar(sql, source, to, scope, is_try=is_try))


def _is_checked(source: EngineType, to: EngineType) -> bool:
    """Tells whether a cast between types that are one to Spark looks at the values."""
    return (to.is_json and not source.is_json) or source.name != to.name != "VARCHAR"


def _plain(sql: str, to: EngineType, *, is_try: bool) -> str:
    return f"{'try_cast' if is_try else 'CAST'}({sql} AS {to.spark})"


def _scalar(sql: str, source: EngineType, to: EngineType, scope: Scope, *, is_try: bool) -> str:
    if to.name == "VARCHAR" and not to.is_json:
        return _spelled(sql, source, scope)
    if to.is_json:
        return _to_json(sql, source, scope, is_try=is_try)
    if source.name in {"VARCHAR", "STRING_LITERAL"}:
        return _of_text(sql, to, is_try=is_try)
    whole = to.name in INTEGERS
    if source.name in FLOATS:
        made = _of_double(sql, source, to, scope, is_try=is_try)
        if made:
            return made
    if whole and source.name in FLOATS:
        return _bounded(_plain(f"rint({sql})", to, is_try=is_try), sql, to, is_try=is_try)
    if whole and source.name == "DECIMAL":
        return _plain(f"round({sql}, 0)", to, is_try=is_try)
    if whole and source.name in INTEGERS:
        return _bounded(_plain(sql, to, is_try=is_try), sql, to, is_try=is_try)
    if _is_same_meaning(source, to):
        return _plain(sql, to, is_try=is_try)
    raise refused(source, to)


def _of_double(sql: str, source: EngineType, to: EngineType, scope: Scope, *, is_try: bool) -> str:
    """Returns a double as a number of a type that Spark converts in another way; empty for other types."""
    if to.name in INTEGERS and to.spark.startswith("DECIMAL"):
        return doubles.to_wide_integer(sql, to, scope, is_try=is_try)
    if to.name == "DECIMAL":
        return doubles.to_decimal(sql, to, scope, is_try=is_try)
    if (source.name, to.name) == ("DOUBLE", "FLOAT"):
        return doubles.to_float(sql, is_try=is_try)
    return ""


def _bounded(made: str, sql: str, to: EngineType, *, is_try: bool) -> str:
    """Returns a conversion within the bounds of unsigned integers, which Spark has not."""
    if not to.name.startswith("U") or sql.isdecimal():
        return made
    widths = {"UTINYINT": 8, "USMALLINT": 16, "UINTEGER": 32, "UBIGINT": 64, "UHUGEINT": 126}
    out = f"{made} < 0 OR {made} >= {2 ** widths[to.name]}"
    otherwise = "NULL" if is_try else "raise_error('cannot convert: out of range')"
    return f"IF({out}, {otherwise}, {made})"


def _is_same_meaning(source: EngineType, to: EngineType) -> bool:
    if source.is_number and to.is_number:
        return True
    if {source.name, to.name} <= TIMES:
        return source.name == "DATE" or to.name not in _COARSE
    return (source.name == "BOOLEAN" and to.is_number) or (
        source.is_number and to.name == "BOOLEAN"
    )


def _of_text(sql: str, to: EngineType, *, is_try: bool) -> str:
    """Returns what a text spells."""
    number = values.double_of_text(sql)
    if to.name in INTEGERS:
        digits = f"replace({sql}, '_', '')"
        exact = f"IF({sql} RLIKE {_INTEGER}, try_cast({digits} AS DECIMAL(38,0)), NULL)"
        base = f"IF({sql} ILIKE '0x%', 16, 2)"
        of_bits = (
            f"IF({sql} RLIKE {_OF_BITS}, "
            f"CAST(conv(substring({digits}, 3), {base}, 10) AS DECIMAL(38,0)), NULL)"
        )
        # A text is rounded as a decimal, half away from zero.
        rounded = f"try_cast(round({number}, 0) AS DECIMAL(38,0))"
        made = f"try_cast(coalesce({exact}, {of_bits}, {rounded}) AS {to.spark})"
        made = _bounded(made, made, to, is_try=True) if to.name.startswith("U") else made
    elif to.name in FLOATS:
        made = f"CAST({number} AS {to.spark})"
    elif to.name == "DECIMAL":
        made = f"IF({number} IS NULL, NULL, try_cast(replace({sql}, '_', '') AS {to.spark}))"
    elif to.name == "BOOLEAN":
        made = f"IF({sql} RLIKE {_BOOLEAN}, try_cast({sql} AS BOOLEAN), NULL)"
    elif to.name in TIMES - _COARSE:
        made = f"IF({sql} RLIKE {_DATE}, try_cast({sql} AS {to.spark}), NULL)"
    elif to.name == "INTERVAL":
        made = f"try_cast({sql} AS INTERVAL)"
    elif to.name == "BLOB":
        return f"encode({sql}, 'UTF-8')"
    else:
        raise refused(EngineType("VARCHAR"), to)
    if is_try:
        return made
    error = f"raise_error(concat('cannot convert ', {sql}, ' to {to.name}'))"
    return f"IF({sql} IS NULL, NULL, coalesce({made}, {error}))"


def _spelled(sql: str, source: EngineType, scope: Scope) -> str:
    """Returns the text of a value as the engine spells it."""
    if source.name == "DOUBLE":
        return values.double_text(sql, scope.let)
    if source.name in {"DATE", "TIMESTAMP"}:
        # Years of five digits have a sign there.
        return f"ltrim('+', CAST({sql} AS STRING))"
    if source.name in INTEGERS or source.name in {"BOOLEAN", "DECIMAL", "ENUM"}:
        return f"CAST({sql} AS STRING)"
    if source.name == INSTANT:
        return f"concat(ltrim('+', CAST({sql} AS STRING)), '+00')"
    if source.name == "VARCHAR":
        return sql
    raise refused(source, EngineType("VARCHAR"))


def _to_json(sql: str, source: EngineType, scope: Scope, *, is_try: bool) -> str:
    """Returns the JSON text that a value is taken for: a text is one already."""
    if source.name == "VARCHAR":
        parsed = f"{'try_' if is_try else ''}parse_json({sql})"
        return f"IF({parsed} IS NULL, NULL, {sql})"
    return to_json(Typed(sql, source), scope)


def to_json(value: Typed, scope: Scope) -> str:
    """Returns the JSON text of a value.

    Raises:
        SparkRefusedError: where its type has none.
    """
    kind = value.type
    if kind.is_json:
        return value.sql
    if is_value(kind):
        return scope.let(value.sql, lambda sql: values.as_json(sql, scope.let))
    if kind.name == "VARCHAR":
        return values.json_of_string(value.sql)
    if kind.name in INTEGERS or kind.name in {"BOOLEAN", "DECIMAL"}:
        return f"CAST({value.sql} AS STRING)"
    if kind.name == "DOUBLE":
        return scope.let(value.sql, lambda sql: doubles.json_text(sql, scope))
    if kind.is_list:
        name = scope.name()
        item = to_json(Typed(name, kind.item), scope)
        return scope.let(
            value.sql,
            lambda sql: (
                f"IF({sql} IS NULL, NULL, concat('[', array_join(transform({sql}, {name} -> "
                f"coalesce({item}, 'null')), ','), ']'))"
            ),
        )
    if kind.name == "STRUCT":
        return scope.let(value.sql, lambda sql: _object(sql, kind, scope))
    if kind.name in TIMES:
        return values.json_of_string(_spelled(value.sql, kind, scope))
    raise refused(kind, EngineType("VARCHAR", alias="JSON"))


def _object(sql: str, kind: EngineType, scope: Scope) -> str:
    parts = []
    for position, (name, part) in enumerate(kind.parts):
        key = ("," if position else "{") + values_key(name)
        item = to_json(Typed(f"{sql}.{named(name)}", part), scope)
        parts += [text(key), f"coalesce({item}, 'null')"]
    return f"IF({sql} IS NULL, NULL, concat({', '.join([*parts, text('}')])}))"


def values_key(name: str) -> str:
    """Returns a key of a JSON object with the colon behind it."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}":'


def json_items(sql: str) -> str:
    """Returns the JSON texts of the items of a JSON array, NULL where the text is none."""
    items = f"try_variant_get(try_parse_json({sql}), '$', 'ARRAY<VARIANT>')"
    return f"transform({items}, x -> to_json(x))"


def _of_json(value: Typed, to: EngineType, scope: Scope, *, is_try: bool) -> str:
    """Returns what a JSON text holds, as a type."""
    sql = value.sql
    if to.name == "VARCHAR":
        return sql
    if to.is_list:
        items = Typed(json_items(sql), EngineType("LIST", (("", value.type),)))
        return _each(items, to, scope, is_try=is_try)
    if to.name == "STRUCT":
        fields = []
        for name, part in to.parts:
            path = f"$['{name}']" if "'" not in name else f'$["{name}"]'
            item = f"to_json(try_variant_get(try_parse_json({sql}), {text(path)}, 'variant'))"
            fields += [text(name), cast(Typed(item, value.type), part, scope, is_try=True)]
        return f"IF({sql} IS NULL, NULL, named_struct({', '.join(fields)}))"
    plain = EngineType("VARCHAR")

    def scalar(sql: str) -> str:
        words = _words_of_json(sql, to, scope)
        made = scope.let(words, lambda each: _scalar(each, plain, to, scope, is_try=is_try))
        return f"IF({sql} IS NULL OR {sql} = 'null', NULL, {made})"

    return scope.let(sql, scalar)


def _words_of_json(sql: str, to: EngineType, scope: Scope) -> str:
    """Returns the text that a JSON text spells as a value of a type; an empty one where it can spell none."""
    string = values.string_of_json(sql)
    form = _IN_STRINGS.get("INTEGER" if to.name in INTEGERS else to.name)
    if form:
        string = scope.let(string, lambda words: f"IF({words} RLIKE {form}, {words}, '')")
    other = sql
    if to.is_number:
        other = f"CASE {sql} WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE {sql} END"
    if to.name == "BOOLEAN":
        number = values.double_of_text(sql)
        other = f"IF({sql} IN ('true', 'false'), {sql}, CAST({number} <> 0 AS STRING))"
    return f"IF(substring({sql}, 1, 1) = '\"', {string}, {other})"


def _each(value: Typed, to: EngineType, scope: Scope, *, is_try: bool) -> str:
    name = scope.name()
    item = cast(Typed(name, value.type.item), to.item, scope, is_try=is_try)
    return f"transform({value.sql}, {name} -> {item})"


def _fields(value: Typed, to: EngineType, scope: Scope, *, is_try: bool) -> str:
    by_name = {name.lower(): (name, part) for name, part in value.type.parts}
    positional = [*value.type.parts]

    def made(sql: str) -> str:
        fields = []
        for position, (name, part) in enumerate(to.parts):
            found = by_name.get(name.lower()) or positional[position]
            inner = Typed(f"{sql}.{named(found[0])}", found[1])
            fields += [text(name), cast(inner, part, scope, is_try=is_try)]
        return f"IF({sql} IS NULL, NULL, named_struct({', '.join(fields)}))"

    return scope.let(value.sql, made)


def refused(source: EngineType, to: EngineType) -> SparkRefusedError:
    """Returns the error that names a cast."""
    shown = to.alias or to.name
    return SparkRefusedError.of(
        f"the cast from {source.alias or source.name} to {shown}", "read the value as it is"
    )
