"""Calls of every function that has a form on Spark, over values at the edges of each type."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from tracestore_query.spark.expressions import FUNCTIONS
from tracestore_query.spark.functions.aggregates import AGGREGATES


def _texts(*values: str | None) -> list[str]:
    return ["NULL" if value is None else "'" + value.replace("'", "''") + "'" for value in values]


_TIMES = ("2024-02-29 23:59:59.999999", "1969-12-31 23:59:59.5", "2026-01-04 00:00:00")

POOLS: Mapping[str, Sequence[str]] = {
    "BIGINT": ["0", "1", "-1", "7", "-7", "10", "9007199254740993", "NULL"],
    "INTEGER": ["0", "1", "-1", "2", "-3", "5", "NULL"],
    "DOUBLE": [
        *("0.0", "1.0", "-1.0", "0.5", "-0.5", "1.5", "2.5", "-2.5", "0.285", "1e300"),
        *("-1e-7", "123456789.125", "1e16", "'nan'", "'inf'", "NULL"),
    ],
    "VARCHAR": _texts(
        *("", "a", "Hello World", " pad ", "naïve Übung", "a,b,,c", "10", "it's \\ 'q'", "%_"),
        *("abcabc", "ABC", None),
    ),
    "BOOLEAN": ["true", "false", "NULL"],
    "DATE": _texts("2024-02-29", "1969-12-31", "2026-01-05", None),
    "TIMESTAMP": _texts(*_TIMES, None),
    "TIMESTAMP WITH TIME ZONE": _texts(*(f"{time}+00" for time in _TIMES), None),
    "VARCHAR[]": ["[]", "['a','b',NULL]", "['b','a','a']", "NULL"],
    "BIGINT[]": ["[]", "[3,1,NULL,2]", "[1,1]", "NULL"],
    "DOUBLE[]": ["[0.5,-1.5,NULL]", "[]", "NULL"],
    "JSON": _texts(
        '{"a":[1,2,{"b":"x"}],"c":null,"d":1.50}',
        *('[1,"x",null,true]', '"s"', "5", "-2.5", "null", "[]", "{}", None),
    ),
    "INTERVAL": ["INTERVAL 3 DAY", "INTERVAL 90 MINUTE"],
}
"""Values of each type, as SQL."""

_GENERIC = {
    "T": "BIGINT",
    "ANY": "VARCHAR",
    "T[]": "BIGINT[]",
    "ANY[]": "VARCHAR[]",
    "K": "VARCHAR",
    "V": "BIGINT",
    "SMALLINT": "INTEGER",
    "TINYINT": "INTEGER",
}
_UNITS = _texts(
    *("year", "quarter", "month", "week", "day", "hour", "minute", "second", "dow", "doy", "epoch")
)
_PATHS = _texts("$.a", "$.a[0]", "$.a[2].b", "$.c", "$[0]", "$[#-1]", "a", "$.zz")
_PATTERNS = _texts("b", "^a", "c$", "[A-Z]\\w+", "\\bWorld\\b", "(a|b)c")
_GIVEN: Mapping[str, Mapping[int, Sequence[str]]] = {
    **{name: {0: _UNITS} for name in ("date_trunc", "datetrunc", "date_part", "datepart")},
    **{name: {0: _UNITS} for name in ("date_diff", "datediff")},
    **{name: {1: _PATHS} for name in ("json_extract", "json_extract_string", "json_exists")},
    **{name: {1: _PATHS} for name in ("json_type", "json_array_length", "json_keys", "->", "->>")},
    "regexp_matches": {1: _PATTERNS},
    "regexp_full_match": {1: _PATTERNS},
    "regexp_extract": {1: _texts("b", "([A-Z])(\\w+)", "x"), 2: ["0", "1"]},
    "regexp_extract_all": {1: _texts("b", "[a-z]+"), 2: ["0"]},
    "regexp_replace": {1: _texts("b", "([a-z])c"), 2: _texts("X", "<\\1>"), 3: _texts("g", "i")},
    "strftime": {1: _texts("%Y-%m-%d %H:%M:%S", "%y/%-m/%-d", "%j %b %B %a %A", "%%x %f")},
    "time_bucket": {0: ["INTERVAL 1 HOUR", "INTERVAL 3 DAY"]},
    "list_sort": {1: _texts("ASC", "DESC"), 2: _texts("NULLS FIRST", "NULLS LAST")},
    "list_aggregate": {1: _texts("sum", "avg", "min", "max", "count", "first", "any_value")},
    "split_part": {1: _texts(",", "a"), 2: ["1", "2", "-1"]},
    **{
        f"{negated}{name}_escape": {2: _texts("x", "a", "\\", "%")}
        for negated in ("", "not_")
        for name in ("like", "ilike")
    },
    "timezone": {0: _texts("UTC")},
    "chr": {0: ["65", "228"]},
    "repeat": {1: ["0", "2"]},
    "round": {1: ["0", "1", "2", "-1"]},
    "lpad": {1: ["3", "8"], 2: _texts("x", "ab")},
    "rpad": {1: ["3", "8"], 2: _texts("x", "ab")},
    "replace": {1: _texts("a", "l"), 2: _texts("X", "")},
    "translate": {1: _texts("ab", "lo"), 2: _texts("x", "xyz")},
}
"""Arguments that have values of their own, by function and position."""

_OPERATORS = frozenset({"+", "-", "*", "/", "//", "%", "**", "||", "&", "|", "->", "->>", "^@"})
_OPERATORS_OF_LIKE = frozenset({"~~", "!~~", "~~*", "!~~*"})


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call over a column `x`.

    Attributes:
        name: of the function.
        kind: the type of the column.
        sql: the expression.
    """

    name: str
    kind: str
    sql: str


def scalar_calls(each: int, seed: int = 1) -> Iterator[FunctionCall]:
    """Yields calls of each signature of each function, at most `each` of one."""
    draw = random.Random(seed)
    for name, parameters in sorted(_signatures(), key=str):
        if not parameters or any(kind not in POOLS for kind in parameters):
            continue
        own = _GIVEN.get(name, {})
        at = next((place for place in range(len(parameters)) if place not in own), 0)
        values = [
            ["x"] if place == at else own.get(place) or POOLS[kind]
            for place, kind in enumerate(parameters)
        ]
        combinations = list(itertools.product(*values))
        draw.shuffle(combinations)
        for chosen in combinations[:each]:
            arguments = [
                value
                if place == at or kind in {"INTERVAL", "VARCHAR"}
                else f"CAST({value} AS {kind})"
                for place, (value, kind) in enumerate(zip(chosen, parameters, strict=True))
            ]
            yield FunctionCall(name, parameters[at], _written(name, arguments))


def aggregate_calls() -> Iterator[FunctionCall]:
    """Yields calls of each aggregate over columns of several types."""
    for name in sorted(AGGREGATES):
        for kind in ("BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN"):
            for others in (", 0.25",) if "quantile" in name else ("", ", i"):
                yield FunctionCall(name, kind, f"{name}(x{others})")


def _signatures() -> Iterator[tuple[str, list[str]]]:
    rows = duckdb.connect().execute(
        "SELECT DISTINCT function_name, parameter_types, varargs FROM duckdb_functions() "
        "WHERE function_type IN ('scalar', 'macro') AND internal"
    )
    for name, parameters, more in rows.fetchall():
        if name in FUNCTIONS:
            named = [*parameters, *([more] * (1 if parameters else 2) if more else [])]
            yield name, [_GENERIC.get(kind, kind) for kind in named]


def _written(name: str, arguments: Sequence[str]) -> str:
    if name in _OPERATORS | _OPERATORS_OF_LIKE and len(arguments) == 2:
        return f"{arguments[0]} {name} {arguments[1]}"
    if name in _OPERATORS and len(arguments) == 1:
        return f"{name} {arguments[0]}"
    return f"{name}({', '.join(arguments)})"


def query(kind: str, expressions: Sequence[str], group: str = "") -> str:
    """Returns a query of expressions over all values of a type, with the number of each value or group before."""
    values = [
        f"({place}, {value if kind == 'INTERVAL' else f'CAST({value} AS {kind})'})"
        for place, value in enumerate(POOLS[kind])
    ]
    columns = ", ".join(f"{each} AS r{place}" for place, each in enumerate(expressions))
    key = group or "i"
    ending = f"GROUP BY {group} ORDER BY 1" if group else "ORDER BY i"
    return f"SELECT {key} AS k, {columns} FROM (VALUES {', '.join(values)}) t(i, x) {ending}"
