"""Every call that queries may make, by DuckDB's own catalog: a path at each argument of each function and operator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import duckdb

from tracestore_query.engine.parse_rules import OPERATORS
from tracestore_query.engine.parse_rules import TYPES as ALLOWED_TYPES
from tracestore_query.language.allowed_functions import allowed

SAMPLES: Final = {
    "VARCHAR": "'a'",
    "BOOLEAN": "true",
    "DATE": "DATE '2026-01-02'",
    "TIMESTAMP": "TIMESTAMP '2026-01-02 03:04:05'",
    "TIMESTAMP_NS": "TIMESTAMP_NS '2026-01-02 03:04:05'",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2026-01-02 03:04:05+00'",
    "TIME": "TIME '03:04:05'",
    "TIME_NS": "TIME_NS '03:04:05'",
    "TIME WITH TIME ZONE": "TIMETZ '03:04:05+00'",
    "INTERVAL": "INTERVAL 1 DAY",
    "BLOB": "'a'::BLOB",
    "BIT": "'101'::BIT",
    "UUID": "'6f1ed002-ab59-5952-b7f4-fc4d8a7f1a2b'::UUID",
    "JSON": "'{\"a\": 1}'::JSON",
    "JSON[]": "['1'::JSON]",
    "ANY": "1",
    "T": "1",
    "K": "1",
    "V": "1",
    "T[]": "[1, 2]",
    "T[][]": "[[1, 2], [3]]",
    "K[]": "[1, 2]",
    "V[]": "[3, 4]",
    "ANY[]": "[1, 2]",
    "VARCHAR[]": "['a']",
    "DOUBLE[]": "[0.5]",
    "FLOAT[]": "[0.5]",
    "BIGINT[]": "[1]",
    "DOUBLE": "0.5",
    "FLOAT": "0.5",
    "MAP(K, V)": "MAP {1: 2}",
    "LAMBDA": "lambda x: x IS NOT NULL",
    "ARRAY": "[1, 2]::INTEGER[2]",
    "FLOAT[ANY]": "[0.5, 1]::FLOAT[2]",
    "DOUBLE[ANY]": "[0.5, 1]::DOUBLE[2]",
    "STRUCT": "{'a': 1}",
    "TUPLE": "{'a': 1}",
    "FLOAT[3]": "[0.5, 1, 2]::FLOAT[3]",
    "DOUBLE[3]": "[0.5, 1, 2]::DOUBLE[3]",
    "MAP": "MAP {1: 2}",
}
NUMBERS: Final = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL(\(.*\))?|BIGNUM")

NESTED: Final = ("BIGINT[]", "DOUBLE[]", "VARCHAR[]", "BOOLEAN[]", "JSON", "DECIMAL(9,2)")
"""Types to cast to that are made of others, or stand in no list."""

_MADE_OF_OTHERS: Final = frozenset(
    {"ARRAY", "ENUM", "LIST", "MAP", "NULL", "STRUCT", "TUPLE", "TYPE", "UNION"}
)

SYNTAX: Final = {
    "DOUBLE": (
        *("({} <> 2)", "({} < 2)", "({} BETWEEN 1 AND 2)", "({} IN (1, 2))", "(-{})", "(~{})"),
        *("({} IS DISTINCT FROM 2)", "{} ** 2", "CASE {} WHEN 2 THEN 'a' ELSE 'b' END"),
    ),
    "VARCHAR": (
        *("({} = 'a')", "({} >= 'a')", "({} NOT IN ('a', 'b'))", "({} LIKE 'a%')"),
        *("({} ILIKE 'A%')", "({} SIMILAR TO 'a.*')", "({} ~ 'a')", "({} COLLATE NOCASE)"),
    ),
    "BOOLEAN": (
        *("(NOT {})", "({} AND true)", "({} OR false)", "CASE WHEN {} THEN 1 ELSE 2 END"),
        *("if({}, 1, 2)", "(({}) IS TRUE)", "(({}) IS NOT FALSE)"),
    ),
    "ANY": (
        *("({} IS NULL)", "({} IS NOT NULL)", "coalesce({}, NULL)", "nullif({}, NULL)"),
        *("ifnull({}, NULL)", "greatest({}, {})", "least({}, {})", "[{}]", "[{}, {}]"),
        *("{{'k': {}}}", "({} = {})", "({} IS NOT DISTINCT FROM {})", "({} IN ({}, {}))"),
    ),
    "LIST": (
        *("list_transform({}, lambda x: x)", "list_filter({}, lambda x: x IS NOT NULL)"),
        *("[x FOR x IN {}]", "('a' = ANY({}))"),
    ),
}
"""Forms of DuckDB's grammar that are in no list of functions, by the type that they take."""

ASKED_KINDS: Final = {"DOUBLE": (int, float), "VARCHAR": (str,), "BOOLEAN": (bool,)}
"""The types that forms of the grammar ask for, and Python's types of their values."""

_KIND: Final = {
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT"), "n"
    ),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "DECIMAL"), "n"),
    "VARCHAR": "t",
    "BOOLEAN": "b",
}
"""The kinds of types, as the last letter of a column of `mixed` tells them."""

WINDOW_ORDER: Final = " OVER (ORDER BY __place)"
"""What a call of a window function ends with; `__place` stands for what rows are told apart by."""

# What they give depends on the moment, on chance, or on statistics of a table.
_OF_OTHER_THINGS: Final = frozenset({"ago", "bitstring_agg", "reservoir_quantile"})
# What the parser takes for other things: a zone as the third argument, and `<=>` for IS NOT DISTINCT FROM.
_WRITTEN_OTHERWISE: Final = frozenset({"time_bucket"})
# `age(x)` is measured from today.
_OF_NOW: Final = frozenset({"age"})


Signature = tuple[str, str, list[str | None], str | None]
"""A function's name, its kind, the types of its arguments and that of further ones, as the engine lists them."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call with a path at one position.

    Attributes:
        name: of the function, the operator, or the form.
        text: with `{}` in the place of the path.
        declared: the type that the catalog says of that place.
        aggregate: whether it gives one row for all.
        cast_to: the type of a conversion.
        signatures: the types that all signatures of the function name for that place.
    """

    name: str
    text: str
    declared: str
    aggregate: bool = False
    cast_to: str | None = None
    signatures: frozenset[str] = frozenset()

    @property
    def asks_for(self) -> str | None:
        """Returns the type that a form of the grammar asks for: values of other kinds are NULL there."""
        return self.declared if self.name == self.text and self.declared in ASKED_KINDS else None

    @property
    def takes_any(self) -> bool:
        """Tells whether the place takes values of every type."""
        return re.search(r"\b(ANY|T|K|V|TUPLE)\b", self.declared) is not None

    @property
    def is_of_rows(self) -> bool:
        """Tells whether it is of an aggregate or a window function."""
        return self.aggregate or " OVER " in self.text

    def may_take(self, column: str) -> bool:
        """Tells whether some signature names a type of a column's kind: the engine would convert others."""
        if not self.signatures or any(_KIND.get(each) is None for each in self.signatures):
            return True
        kind = {"n": "n", "d": "n"}.get(column[-1], column[-1])
        return kind in {_KIND[each] for each in self.signatures}

    def of(self, argument: str, place: str) -> str:
        """Returns the call of an argument, given what tells rows apart."""
        return (
            self.text.replace("{}", argument)
            .replace("__place", place)
            .replace("{{", "{")
            .replace("}}", "}")
        )


def every_call(
    plain: duckdb.DuckDBPyConnection, more: Sequence[Signature] = ()
) -> tuple[list[Call], set[str]]:
    """Returns every call of the engine's catalog, of its grammar and of casts, and the functions left without one.

    Args:
        plain: the engine.
        more: functions that a later engine may list as well.
    """
    listed: list[Signature] = plain.execute(
        "SELECT DISTINCT function_name, function_type, parameter_types, varargs FROM duckdb_functions() "
        "WHERE function_type IN ('scalar', 'aggregate', 'window', 'macro') AND internal "
        "AND stability IS DISTINCT FROM 'VOLATILE' "
        "ORDER BY ALL"
    ).fetchall()
    listed += more
    callable_names = allowed([name for name, *_ in listed])
    calls: dict[str, Call] = {}
    names: set[str] = set()
    for name, kind, types, varargs in listed:
        is_operator = not name.replace("_", "").isalnum()
        if (name in _WRITTEN_OTHERWISE and "VARCHAR" in types) or name == "<=>":
            continue
        if name in _OF_OTHER_THINGS or (name not in callable_names and name not in OPERATORS):
            continue
        every = [each or "ANY" for each in (*types, *([varargs] if varargs else []))]
        if not every and kind != "window":
            continue
        names.add(name)
        for call in _calls_of(name, kind, every, is_operator=is_operator):
            # Of several signatures the one that takes any type says most.
            known = calls.get(call.text, call)
            best = call if call.takes_any else known
            signatures = known.signatures | {call.declared}
            calls[call.text] = replace(best, signatures=signatures)
    for declared, forms in SYNTAX.items():
        for form in forms:
            calls.setdefault(form, Call(form, form, declared))
    for sql_type in (*_types(plain), *NESTED):
        for word in ("CAST", "TRY_CAST"):
            text = f"{word}({{}} AS {sql_type})"
            calls[text] = Call(f"CAST AS {sql_type}", text, "CAST", cast_to=sql_type)
    return list(calls.values()), names - {call.name for call in calls.values()}


def _types(plain: duckdb.DuckDBPyConnection) -> list[str]:
    """Returns the engine's types that are not made of others."""
    rows = plain.execute(
        "SELECT DISTINCT logical_type FROM duckdb_types() WHERE internal"
    ).fetchall()
    named = {name.lower() for name in ALLOWED_TYPES}
    return sorted(name for (name,) in rows if name not in _MADE_OF_OTHERS and name.lower() in named)


def _calls_of(name: str, kind: str, types: Sequence[str], *, is_operator: bool) -> Iterator[Call]:
    if kind == "window" and not types:
        for place in ("ORDER BY {}, __place", "PARTITION BY {} ORDER BY __place"):
            yield Call(name, f"{name}() OVER ({place})", "ANY")
    samples = [_sample(each) for each in types]
    for at, declared in enumerate(types):
        others = [sample for i, sample in enumerate(samples) if i != at]
        if name in {"date_trunc", "datetrunc"} and not at:
            # The parser takes a name there for a unit.
            continue
        if at and types[0] == "VARCHAR" and ("json" in name or name.startswith("->")):
            # The sample of a text is no JSON.
            continue
        if declared in {"LAMBDA", "VARIANT", "GEOMETRY"} or None in others:
            continue
        if name in _OF_NOW and len(types) < 2:
            continue
        arguments = ["{}" if i == at else str(sample) for i, sample in enumerate(samples)]
        text = _written(name, arguments, is_operator=is_operator)
        if text is not None:
            if kind != "window":
                yield Call(name, text, declared, kind == "aggregate")
            if kind != "scalar":
                yield Call(name, text + WINDOW_ORDER, declared)


def _sample(sql_type: str) -> str | None:
    return "1" if NUMBERS.fullmatch(sql_type) else SAMPLES.get(sql_type)


def _written(name: str, arguments: Sequence[str], *, is_operator: bool) -> str | None:
    if not is_operator:
        return f"{name}({', '.join(arguments)})"
    if len(arguments) == 1:
        return f"({name} {arguments[0]})" if name in {"-", "~", "@"} else None
    return f"({arguments[0]} {name} {arguments[1]})" if len(arguments) == 2 else None
