"""Random rows, and plain DuckDB tables of the same rows whose columns have the types that the rule gives paths.

A path whose values are all of one kind is a column of that kind. One whose rows disagree is a column of structs
`{k, n, t}` (kind, number, text), which compare in the order of values; macros make them and read them.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from sql.statements.expression import Expression

START_NS: Final = 1_790_000_000_000_000_000
MINUTE_NS: Final = 60 * 10**9
WORDS: Final = (
    "",
    "a",
    "ab",
    "b",
    "B c",
    "12",
    "-3",
    "it's",
    'x"y',
    "100%",
    "naïve",
    "true",
    "null",
)
TEXT_COLUMNS: Final = ("name", "service", "span_id", "severity_text")
MACROS: Final = """
    CREATE MACRO of_num(x) AS CASE WHEN x IS NOT NULL THEN {'k': 1, 'n': x::DOUBLE, 't': ''} END;
    CREATE MACRO of_text(x) AS CASE WHEN x IS NOT NULL THEN {'k': 2, 'n': 0::DOUBLE, 't': x} END;
    CREATE MACRO of_bool(x) AS CASE WHEN x IS NOT NULL THEN {'k': 3, 'n': 0::DOUBLE, 't': x::VARCHAR} END;
    CREATE MACRO as_num(v) AS CASE WHEN v.k = 1 THEN v.n END;
    CREATE MACRO as_text(v) AS CASE WHEN v.k = 2 THEN v.t END;
    CREATE MACRO as_bool(v) AS CASE WHEN v.k = 3 THEN v.t = 'true' END;
"""

VALUE_TYPE: Final = pa.struct([("k", pa.int32()), ("n", pa.float64()), ("t", pa.string())])
ARROW_TYPES: Final = {
    "text": pa.string(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "nums": pa.list_(pa.float64()),
    "texts": pa.list_(pa.string()),
    "values": pa.list_(VALUE_TYPE),
    "items": pa.list_(VALUE_TYPE),
    "value": VALUE_TYPE,
    "absent": pa.string(),
}


@dataclass(frozen=True, slots=True)
class Path:
    """A path that statements read.

    Attributes:
        chain: how a statement writes it, behind the table's alias.
        at: gives its value in a row.
        kind: set where the kind does not follow from the values.
    """

    chain: str
    at: Callable[[dict[str, Any]], Any]
    kind: str | None = None


def _keys(*keys: str | int) -> Callable[[dict[str, Any]], Any]:
    def at(row: Any) -> Any:
        for key in keys:
            try:
                row = row[key]
            except (KeyError, IndexError, TypeError):
                return None
        return row

    return at


def _model(row: dict[str, Any]) -> Any:
    flat = _keys("attributes", "gen_ai.model")(row)
    return _keys("attributes", "gen_ai", "model")(row) if flat is None else flat


def _called(*keys: str | int) -> Callable[[dict[str, Any]], Any]:
    """Returns what gives a part of an object under a key that holds a dot, or under two keys."""

    def at(row: dict[str, Any]) -> Any:
        flat = _keys("attributes", "tool.call")(row)
        found = _keys("attributes", "tool", "call")(row) if flat is None else flat
        return _keys(*keys)(found)

    return at


def _time(row: dict[str, Any]) -> dt.datetime:
    ns = row.get("start_ns", row.get("time_ns", 0))
    return dt.datetime.fromtimestamp(ns // 10**9, dt.UTC)


def _roles(row: dict[str, Any]) -> list[Any] | None:
    """Returns what a plain column holds for a list of objects: what its items have at one key."""
    items = _keys("attributes", "msgs")(row)
    if not isinstance(items, list):
        return None
    return [item.get("role") if isinstance(item, dict) else None for item in items]


_ATTRIBUTES: Final = (
    *("int", "dbl", "num", "str", "boo", "ints", "strs", "vals", "mix", "two"),
    *("rare", "raremix", "late", "never", "when"),
)
_SHARED: Final = [
    *(Path(f"attributes.{name}", _keys("attributes", name)) for name in _ATTRIBUTES),
    Path("attributes.o.x", _keys("attributes", "o", "x")),
    Path("attributes.o['y'].z", _keys("attributes", "o", "y", "z")),
    Path("attributes.gen_ai.model", _model),
    Path("attributes.objs[0].k", _keys("attributes", "objs", 0, "k"), "value"),
    Path("attributes.objs[-1].w", _keys("attributes", "objs", -1, "w"), "value"),
    Path("attributes.msgs[0].role", _keys("attributes", "msgs", 0, "role"), "value"),
    Path("attributes.msgs[-1].role", _keys("attributes", "msgs", -1, "role"), "value"),
    Path("attributes.msgs", _roles, "items"),
    Path("attributes.vals[1]", _keys("attributes", "vals", 1), "value"),
    Path("attributes.strs[0]", _keys("attributes", "strs", 0)),
    Path("attributes.tool.call", _called(), "value"),
    Path("attributes.tool.call.id", _called("id")),
    Path("attributes.tool.call.args[0]", _called("args", 0)),
    Path("service", _keys("service"), "text"),
    Path("span_id", _keys("span_id"), "text"),
]
PATHS: Final = {
    "spans": [
        *_SHARED,
        Path("name", _keys("name"), "text"),
        Path("duration_ns", _keys("duration_ns"), "num"),
        Path("start_time", _time, "time"),
        Path("input", _keys("input")),
        Path("input.q", _keys("input", "q")),
        Path("scores.s", _keys("scores", "s")),
        Path("metadata.m", _keys("metadata", "m")),
        Path("tags", _keys("tags"), "texts"),
    ],
    "logs": [
        *_SHARED,
        Path("severity_number", _keys("severity_number"), "num"),
        Path("time", _time, "time"),
        Path("body", _keys("body")),
    ],
}


def new_row(chance: random.Random, table: str, number: int, *, late: bool) -> dict[str, Any]:
    """Returns a row; paths that are `late` are in it too."""
    row: dict[str, Any] = {
        "trace_id": f"{number // 4 + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "attributes": _attributes(chance, late=late),
    }
    if chance.random() < 0.8:
        row["service"] = chance.choice(["api", "worker", "db"])
    ns = START_NS + number * MINUTE_NS
    if table == "logs":
        body = chance.choice([chance.choice(WORDS), number % 5, {"e": number % 3}, None])
        return row | {"time_ns": ns, "severity_number": number % 7, "body": body}
    row |= {"name": f"op-{number % 5}", "start_ns": ns, "duration_ns": chance.randrange(50)}
    if chance.random() < 0.7:
        texts = {"q": chance.choice(WORDS), "n": number % 4}
        row["input"] = chance.choice([texts, texts, chance.choice(WORDS), [1, "a"]])
    if chance.random() < 0.3:
        row["tags"] = chance.sample(["t", "u", "v"], chance.randint(1, 2))
    if chance.random() < 0.4:
        row["scores"] = {"s": chance.choice([0.25, 1, 0.5])}
    return row


def _attributes(chance: random.Random, *, late: bool) -> dict[str, Any]:
    some = functools.partial(chance.choice)
    integer, double = chance.randint(-3, 6), chance.randint(-8, 8) / 4
    found: dict[str, Any] = {
        "int": integer,
        "dbl": double,
        "num": some([integer, double]),
        "str": some(WORDS),
        "boo": some([True, False]),
        "ints": [chance.randint(0, 4) for _ in range(chance.randint(0, 3))],
        "strs": [some(WORDS) for _ in range(chance.randint(0, 3))],
        "vals": [some([1, 2.5, "a", "2", True]) for _ in range(chance.randint(0, 3))],
        "mix": some([integer, double, some(WORDS), some(WORDS), True, [1, "a"], {"k": integer}]),
        "two": some([integer, some(WORDS)]),
        "when": f"2026-09-2{chance.randint(1, 9)}T0{chance.randint(0, 9)}:00:00Z",
        "o": {"x": integer, "y": {"z": some(WORDS)}},
        "objs": [
            {"k": some([1, "a", False]), "w": some(WORDS)} for _ in range(chance.randint(0, 2))
        ],
    }
    found["msgs"] = [
        some([{"role": some(WORDS), "n": integer}, {"role": some("ab")}, {"n": integer}, None])
        for _ in range(chance.randint(0, 3))
    ]
    found |= some([{"gen_ai.model": some("abc")}, {"gen_ai": {"model": some("abc")}}])
    called = {"id": integer, "args": [some(WORDS)]}
    found |= some([{"tool.call": called}, {"tool": {"call": called}}, {"tool.call": integer}])
    kept = {name: value for name, value in found.items() if chance.random() < 0.85}
    if chance.random() < 0.06:
        kept["rare"] = integer
    if chance.random() < 0.1:
        kept["raremix"] = some([integer, some(WORDS)])
    if chance.random() < 0.05:
        kept["mix"] = None
    if late:
        kept["late"] = some([integer, some(WORDS)])
    return kept


def kind_of(values: Iterable[Any]) -> str:
    """Returns the kind of a path's values by the rule: one where all rows agree, else values."""
    kinds = {_kind(value) for value in values if value is not None}
    if not kinds:
        return "absent"
    return kinds.pop() if len(kinds) == 1 else "value"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "num"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        items = {_kind(item) for item in value}
        return "texts" if items == {"text"} else "nums" if items == {"num"} else "values"
    return "value"


def list_kind(values: Sequence[Any]) -> str:
    """Returns the kind of a path that holds lists in all of its rows, by their items."""
    items = {_kind(item) for value in values if value is not None for item in value}
    return {frozenset({"num"}): "nums", frozenset({"text"}): "texts"}.get(
        frozenset(items), "values"
    )


def tagged(value: Any) -> dict[str, Any] | None:
    """Returns a value as a struct that compares in the order of values."""
    if value is None:
        return None
    if isinstance(value, bool):
        return {"k": 3, "n": 0.0, "t": str(value).lower()}
    if isinstance(value, int | float):
        return {"k": 1, "n": float(value), "t": ""}
    if isinstance(value, str):
        return {"k": 2, "n": 0.0, "t": value}
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {"k": 4 if isinstance(value, list) else 5, "n": 0.0, "t": text}


def untagged(value: Any) -> Any:
    """Returns what a struct stands for, also inside of lists and others."""
    if isinstance(value, list | tuple):
        return [untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {"k", "n", "t"}:
        return {key: untagged(item) for key, item in value.items()}
    texts = {2: value["t"], 3: value["t"] == "true"}
    if value["k"] in texts:
        return texts[value["k"]]
    return value["n"] if value["k"] == 1 else json.loads(value["t"])


def fill(
    connection: duckdb.DuckDBPyConnection, rows: dict[str, list[dict[str, Any]]]
) -> dict[str, list[Expression]]:
    """Makes the plain tables anew; returns the columns that a statement may name, without the table's alias."""
    columns: dict[str, list[Expression]] = {}
    for table, paths in PATHS.items():
        arrays: dict[str, pa.Array] = {}
        columns[table] = []
        for i, path in enumerate(paths):
            values = [path.at(row) for row in rows[table]]
            kind = path.kind or kind_of(values)
            if (
                path.kind is None
                and all(v is None or isinstance(v, list) for v in values)
                and kind != "absent"
            ):
                kind = list_kind(values)
            columns[table].append(Expression(path.chain, f"p{i}", kind, is_path=True))
            arrays[f"p{i}"] = _array(values, kind)
        connection.register("arrived", pa.table(arrays))
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM arrived")
        connection.unregister("arrived")
    return columns


def _array(values: list[Any], kind: str) -> pa.Array:
    if kind == "num":
        whole = all(isinstance(value, int) for value in values if value is not None)
        return pa.array(values, pa.int64() if whole else pa.float64())
    if kind == "nums" and all(isinstance(item, int) for value in values for item in value or ()):
        return pa.array(values, pa.list_(pa.int64()))
    if kind == "value":
        values = [tagged(value) for value in values]
    elif kind in {"values", "items"}:
        values = [None if value is None else [tagged(item) for item in value] for value in values]
    return pa.array(values, ARROW_TYPES[kind])
