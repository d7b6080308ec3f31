"""Three rows in every state of a store, and plain DuckDB tables of the same values in the forms of the rule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

import tracestore
from data.stores import ndjson
from sql.statements.rows import MACROS, VALUE_TYPE, tagged
from tracestore import Store

STATES: Final = ("memory", "one segment", "many", "merged", "tail", "patched", "folded")

COLUMNS: Final[dict[str, tuple[str, list[Any]]]] = {
    "int": ("BIGINT", [1, 2, 3]),
    "dbl": ("DOUBLE", [0.5, 1.5, 2.25]),
    "str": ("VARCHAR", ["a", "B c", "12"]),
    "boo": ("BOOLEAN", [True, False, True]),
    "ints": ("BIGINT[]", [[1, 2], [3], [4]]),
    "dbls": ("DOUBLE[]", [[0.5], [1.5, 2.5], [4.5]]),
    "strs": ("VARCHAR[]", [["a"], ["b", "c"], ["d"]]),
}
"""Paths of one type: the engine's type, and a value for each row."""

MIXED: Final[dict[str, list[Any]]] = {
    "mix": [2, "a", True],
    "two": ["2026-01-02 03:04:05", 7, "x"],
    "num": [1, 0.5, 3],
    "lis": [[1, "a"], ["b"], [2.5, True]],
    "emp": [[0.5], [], [1.5, 2.5]],
    "obj": [{"a": 1}, {"a": "x", "b": 2}, {}],
}
"""Paths of several types, and objects."""

FILLING: Final = 51
"""Rows of a segment beside the one that is asked for: so many that each of three leaves of a path has a column."""

ASKED: Final = "asked"
ROWS: Final = 3
"""Rows that are asked for, by that name."""

_START_NS: Final = 1_790_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Forms:
    """What a path of several types is in plain DuckDB.

    Attributes:
        kinds: the column of each kind that its values have, in the order of values; other rows are NULL.
        value: the column of tagged values.
        text: the column of values as they are spelled.
        json: the column of values as JSON.
        lists: the column of lists.
        of_kind: the columns of numbers, texts and booleans by the type that asks for them.
    """

    kinds: tuple[str, ...]
    value: str
    text: str
    json: str
    lists: str
    of_kind: Mapping[str, str]


def held_in(state: str) -> str:
    """Returns the field that holds the paths in a state: patches change no attributes."""
    return "metadata" if state in {"patched", "folded"} else "attributes"


def values_of(number: int) -> dict[str, Any]:
    """Returns the values of a row by path, and all of them again in an object inside of a list."""
    found = {name: values[number] for name, (_, values) in COLUMNS.items()}
    found |= {name: values[number] for name, values in MIXED.items()}
    return found | {"items": [found]}


def build(folder: Path) -> Store:
    """Returns a store with a project for each state; each holds the same three rows that are asked for."""
    store = tracestore.open(folder, background=False, durability="async")
    for state in ("merged", "folded"):
        _write(store, state, pieces=3, flushed=True)
    _patch(store, "folded")
    store.compact(full=True)
    _write(store, "one segment", pieces=1, flushed=True)
    _write(store, "tail", pieces=1, flushed=True)
    _write(store, "many", pieces=3, flushed=True)
    _write(store, "patched", pieces=1, flushed=True)
    _patch(store, "patched")
    _write(store, "memory", pieces=1, flushed=False)
    return store


def _write(store: Store, state: str, pieces: int, *, flushed: bool) -> None:
    rows = [_row(state, number) for number in range(ROWS)]
    for piece in range(pieces):
        mine = [row for number, row in enumerate(rows) if number % pieces == piece]
        filling = [_filling(state, piece * FILLING + i) for i in range(FILLING)]
        store.insert("spans", ndjson([*mine, *filling]), project=state)
        if flushed:
            store.flush()


def _row(state: str, number: int) -> dict[str, Any]:
    row = _span(number, ASKED)
    if held_in(state) == "attributes":
        row["attributes"] = values_of(number)
    return row


def _filling(state: str, number: int) -> dict[str, Any]:
    """Returns a row that has every path, so that it is a column; in a tail no other row has one."""
    row = _span(1000 + number, "filling")
    if state not in {"tail", "patched", "folded"}:
        row["attributes"] = values_of(number % ROWS)
    return row


def _span(number: int, name: str) -> dict[str, Any]:
    return {
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "name": name,
        "start_ns": _START_NS + number,
    }


def _patch(store: Store, project: str) -> None:
    for number in range(ROWS):
        row = _span(number, ASKED)
        ids = {key: row[key] for key in ("trace_id", "span_id")}
        store.patch(ids | {"metadata": values_of(number)}, project=project)


def plain_tables() -> duckdb.DuckDBPyConnection:
    """Returns plain DuckDB with the tables `typed`, of paths of one type, and `mixed`, of the others' forms."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(MACROS)
    listed = ", ".join(f'"{name}" {kind}' for name, (kind, _) in COLUMNS.items())
    connection.execute(f"CREATE TABLE typed (i INTEGER, {listed})")
    for i in range(ROWS):
        values = [i, *(held[i] for _, held in COLUMNS.values())]
        marks = ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO typed VALUES ({marks})", values)
    arrays: dict[str, pa.Array] = {"i": pa.array(range(ROWS), pa.int32())}
    for name, held in MIXED.items():
        arrays |= _forms(name, held)
    connection.register("arrived", pa.table(arrays))
    json_columns = ", ".join(f"{name}_j::JSON AS {name}_j" for name in MIXED)
    connection.execute(f"CREATE TABLE mixed AS SELECT * REPLACE ({json_columns}) FROM arrived")
    return connection


def _forms(name: str, held: Sequence[Any]) -> dict[str, pa.Array]:
    """Returns the columns of a path of several types, for each form of its values."""
    numbers = [each if _is_number(each) else None for each in held]
    whole = all(each is None or isinstance(each, int) for each in numbers)
    lists = [[tagged(item) for item in each] if isinstance(each, list) else None for each in held]
    texts = [each if isinstance(each, str) else None for each in held]
    booleans = [each if isinstance(each, bool) else None for each in held]
    return {
        f"{name}_n": pa.array(numbers, pa.int64() if whole else pa.float64()),
        f"{name}_d": pa.array(numbers, pa.float64()),
        f"{name}_t": pa.array(texts, pa.string()),
        f"{name}_b": pa.array(booleans, pa.bool_()),
        f"{name}_l": pa.array(lists, pa.list_(VALUE_TYPE)),
        f"{name}_v": pa.array([tagged(each) for each in held], VALUE_TYPE),
        f"{name}_s": pa.array([_spelled(each) for each in held], pa.string()),
        f"{name}_j": pa.array([_json(each) for each in held], pa.string()),
    }


def forms_of(name: str, *, in_list: bool) -> Forms:
    """Returns the columns of a path; inside of a list numbers are doubles."""
    held = MIXED[name]
    of_kind = {}
    if any(_is_number(each) for each in held):
        of_kind["DOUBLE"] = f"{name}_d" if in_list else f"{name}_n"
    if any(isinstance(each, str) for each in held):
        of_kind["VARCHAR"] = f"{name}_t"
    if any(isinstance(each, bool) for each in held):
        of_kind["BOOLEAN"] = f"{name}_b"
    lists = [f"{name}_l"] if any(isinstance(each, list) for each in held) else []
    kinds = (*of_kind.values(), *lists)
    if in_list:
        # What kinds there are in a list, nobody knows before it is read.
        kinds = tuple(f"{name}_{kind}" for kind in "dtbl")
    # Lists alone are a column of lists.
    value = f"{name}_l" if kinds == tuple(lists) and lists else f"{name}_v"
    return Forms(kinds, value, f"{name}_s", f"{name}_j", f"{name}_l", of_kind)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read(text: str) -> Any:
    """Returns what a text of JSON stands for; what a function has made of one may be none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def untagged(value: Any) -> Any:
    """Returns what tagged values stand for, at any depth."""
    if isinstance(value, Mapping):
        if value.keys() != {"k", "n", "t"}:
            return {key: untagged(item) for key, item in value.items()}
        match value["k"]:
            case None:
                return None
            case 1:
                return value["n"]
            case 2:
                return value["t"]
            case _:
                return read(value["t"])
    if isinstance(value, list):
        return [untagged(item) for item in value]
    return tuple(map(untagged, value)) if isinstance(value, tuple) else value
