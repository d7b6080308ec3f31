"""Random rows of conflicting types, random predicates on random paths, against plain Python."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

import tracestore
from data import stores

KEYS = ("a", "b", "a.b", "x y", "A", "")
MISSING = object()

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**53 + 1, -(2**63), 2**63, 2**70]),
    st.sampled_from([0.5, -1.5, 2.0, 1e300]),
    st.sampled_from(["", "a", "1", "err", "ü", '"', "null", "it's"]),
)
lists = st.one_of(
    st.lists(st.integers(-3, 3), max_size=3),
    st.lists(st.sampled_from(["a", "1"]), max_size=3),
    st.lists(scalars, max_size=3),
)
values = st.recursive(
    st.one_of(scalars, lists),
    lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=4,
)
rows = st.lists(st.dictionaries(st.sampled_from(KEYS), values, max_size=4), min_size=1, max_size=40)
paths = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3)

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">=": operator.ge,
}


def at(value: Any, keys: list[str]) -> Any:
    """Returns what lies at keys that match exactly."""
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def dotted(value: Any, text: str) -> list[Any]:
    """Returns what lies at every path whose keys, joined by dots, give a text."""
    found = [value[text]] if isinstance(value, dict) and text in value else []
    if isinstance(value, dict):
        for key, inner in value.items():
            if text.startswith(key + "."):
                found += dotted(inner, text[len(key) + 1 :])
    return found


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def literal(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


def same_kind(value: Any, other: Any) -> bool:
    if isinstance(other, bool) or isinstance(value, bool):
        return isinstance(other, bool) and isinstance(value, bool)
    if is_number(other):
        return is_number(value)
    return isinstance(value, str)


@settings(max_examples=20)
@given(
    rows=rows,
    asked=st.lists(
        st.tuples(
            paths,
            st.sampled_from(sorted(COMPARE)),
            st.one_of(
                st.integers(-2, 2),
                st.just(0.5),
                st.booleans(),
                st.sampled_from(["a", "1", "err", "it's"]),
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    state=st.sampled_from(stores.STATES),
)
def test_predicates_on_conflicting_types(
    rows: list[dict[str, Any]], asked: list[tuple[list[str], str, Any]], state: str
) -> None:
    spans = [
        {"span_id": f"{i + 1:016x}", "trace_id": f"{i + 1:032x}", "name": str(i), "attributes": row}
        for i, row in enumerate(rows)
    ]
    with (
        TemporaryDirectory() as folder,
        stores.build(Path(folder) / "store", state, {"spans": spans}, pieces=3) as store,
    ):
        for keys, compare, constant in asked:
            chain = "attributes" + "".join(f"[{quoted(key)}]" for key in keys)
            held = [at(row, keys) for row in rows]

            sql = f"SELECT name FROM spans WHERE {chain} {compare} {literal(constant)}"
            note(sql)
            matching = [
                str(i)
                for i, value in enumerate(held)
                if value is not MISSING
                and value is not None
                and same_kind(value, constant)
                and COMPARE[compare](value, constant)
            ]
            assert names(store, sql) == sorted(matching)

            sql = f"SELECT name FROM spans WHERE {chain} IS NULL"
            missing = [str(i) for i, value in enumerate(held) if value is MISSING or value is None]
            assert names(store, sql) == sorted(missing)

            sql = f"SELECT name, {chain} AS v FROM spans"
            answer = {row["name"]: row["v"] for row in store.sql(sql).rows()}
            for i, value in enumerate(held):
                assert alike(answer[str(i)], None if value is MISSING else value), (sql, i)

            sql = f"SELECT sum({chain}) AS s, count({chain}) AS n FROM spans"
            [total] = store.sql(sql).rows()
            assert total["n"] == len(rows) - len(missing)
            numbers = [value for value in held if is_number(value)]
            there = [value for value in held if value is not MISSING and value is not None]
            if all(isinstance(value, bool) for value in there):
                # A path of booleans alone has that type, whose sum the engine knows.
                numbers = there
            if all(abs(number) < 10 for number in numbers):
                assert (total["s"] or 0) == sum(numbers)


@settings(max_examples=20)
@given(rows=rows, text=st.sampled_from(["a", "b", "a.b", "a.a", "b.a.b", "a.b.a"]))
def test_a_dotted_path_finds_flat_keys_and_nested_objects_alike(
    rows: list[dict[str, Any]], text: str
) -> None:
    spans = [
        {"span_id": f"{i + 1:016x}", "trace_id": f"{i + 1:032x}", "name": str(i), "attributes": row}
        for i, row in enumerate(rows)
    ]
    with (
        TemporaryDirectory() as folder,
        stores.build(Path(folder) / "store", "many segments", {"spans": spans}, pieces=3) as store,
    ):
        for kind, matches in (
            ("number", is_number),
            ("string", lambda value: isinstance(value, str)),
        ):
            condition = (
                f"attributes.{text} > -100" if kind == "number" else f"attributes.{text} >= ''"
            )
            found = names(store, f"SELECT name FROM spans WHERE {condition}")
            some = {
                str(i)
                for i, row in enumerate(rows)
                if any(
                    matches(value) and (kind == "string" or value > -100)
                    for value in dotted(row, text)
                )
            }
            # A row that holds the path in two ways gives one of the two values.
            several = {str(i) for i, row in enumerate(rows) if len(dotted(row, text)) > 1}
            assert set(found) <= some
            assert some - several <= set(found)


def names(store: tracestore.Store, sql: str) -> list[str]:
    return sorted(row["name"] for row in store.sql(sql).rows())


def alike(got: Any, want: Any) -> bool:
    """Tells whether an answer is a value; a path of numbers of both kinds gives doubles."""
    if isinstance(want, bool) or isinstance(got, bool):
        return got is want
    if is_number(want) and is_number(got):
        return float(got) == float(want) and (got == want or isinstance(got, float))
    if isinstance(want, list) and isinstance(got, list):
        return len(got) == len(want) and all(map(alike, got, want))
    if isinstance(want, dict) and isinstance(got, dict):
        return got.keys() == want.keys() and all(alike(got[key], want[key]) for key in want)
    return bool(got == want) and type(got) is type(want)
