"""A dotted path finds what lies under keys with dots, whatever it is and at whatever depth, wherever the rows lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from data.stores import STATES, build, span
from tracestore import Store

HELD: dict[str, Any] = {
    "id": 7,
    "args": ["x", {"y": 2}],
    "deep": {"k.l": "v", "m": [1, 2]},
    "none": {},
}
PATHS = {
    "attributes.one.flat": {"one.flat": HELD},
    "attributes.nested.twice": {"nested": {"twice": HELD}},
    "attributes.t.at.depth": {"t": {"at.depth": HELD}},
    "attributes.two.flat.and.flat": {"two.flat": {"and.flat": HELD}},
    "attributes.three.in.one": {"three.in.one": HELD},
    "attributes.last.of.list": {"last.of.list": [HELD]},
}
"""A path, and how the attributes spell it."""

MIXED = [
    {"mix.ed": HELD},
    {"mix": {"ed": HELD}},
    {"mix.ed": "a text"},
    {"mix": {"ed": 5}},
    {"mix.ed": ["a", 1]},
    {"mix": {"ed": {"id": 8}}},
    {"other": 1},
]
OF_MIXED = [HELD, HELD, "a text", 5, ["a", 1], {"id": 8}, None]

EXPRESSIONS: list[tuple[str, Any]] = [
    ("{p}", HELD),
    ("{p}.id", 7),
    ("{p}.id + 1", 8),
    ("{p}.args", HELD["args"]),
    ("{p}.args[0]", "x"),
    ("{p}.args[1].y", 2),
    ("{p}.deep", HELD["deep"]),
    ("{p}.deep.k.l", "v"),
    ("{p}.deep.m", [1, 2]),
    ("{p}.deep.m[-1]", 2),
    ("{p}.none", {}),
    ("{p}['deep']['k.l']", "v"),
    ("typeof({p})", "object"),
    ("{p} IS NOT NULL", True),
    ("{p}::JSON", HELD),
    ("coalesce({p}, 'none')", HELD),
    ("{{'k': {p}}}", {"k": HELD}),
    ("[{p}]", [HELD]),
    ("match({p}, 'v')", True),
    ("match({p}, 'k')", False),
    ("len({p}.args)", 2),
    ("list_sort(json_keys({p}))", sorted(HELD)),
    ("{p}->>'id'", "7"),
    ("{p} = {p}", True),
]


@pytest.fixture(scope="module", params=[*STATES, "columns"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Returns a store of one span for each path, or of many, whose values are in columns of their own."""
    copies = 20 if request.param == "columns" else 1
    state = "one segment" if request.param == "columns" else request.param
    attributes = [*PATHS.values(), *MIXED]
    rows = [span(i, attributes=each) for i, each in enumerate(attributes * copies)]
    with build(tmp_path_factory.mktemp("dotted") / "store", state, {"spans": rows}) as made:
        yield made


@pytest.mark.parametrize("path", [path for path in PATHS if "list" not in path])
def test_a_dotted_path_finds_an_object_under_keys_with_dots(store: Store, path: str) -> None:
    wrong = []
    for expression, expected in EXPRESSIONS:
        sql = f"SELECT {expression.format(p=path)} AS v FROM spans WHERE {path}.id = 7 LIMIT 1"
        inner = f"SELECT {path} AS o FROM spans WHERE {path}.id = 7"
        through = f"SELECT {expression.format(p='o')} AS v FROM ({inner}) LIMIT 1"
        for asked in (sql, through):
            found = [row["v"] for row in store.sql(asked).rows()]
            if _plain(found) != _plain([expected]):
                wrong.append(f"{asked}\n  got  {found}\n  want {[expected]}")
    assert not wrong, "\n".join(wrong)


def test_a_dotted_path_finds_a_list_under_a_key_with_dots(store: Store) -> None:
    path = "attributes.last.of.list"
    for expression, expected in [
        (path, [HELD]),
        (f"{path}[0]", HELD),
        (f"{path}[0].deep.k.l", "v"),
        (f"len({path})", 1),
        (f"list_transform({path}, i -> i.id)", [7]),
        (f"typeof({path})", "array"),
    ]:
        sql = f"SELECT {expression} AS v FROM spans WHERE {path} IS NOT NULL LIMIT 1"
        assert _plain([row["v"] for row in store.sql(sql).rows()]) == _plain([expected]), sql


def test_every_spelling_of_a_path_is_one_column(store: Store) -> None:
    found = store.sql("SELECT DISTINCT attributes.mix.ed AS v FROM spans ORDER BY 1").rows()
    values = [5, "a text", ["a", 1], HELD, {"id": 8}, None]
    assert sorted(_plain(row["v"]) for row in found) == sorted(map(_plain, values))
    sql = "SELECT span_id, attributes.mix.ed AS v FROM spans WHERE attributes.mix.ed IS NOT NULL"
    rows = store.sql(sql).rows()
    of_spans = [*[None] * len(PATHS), *OF_MIXED]
    for row in rows:
        want = of_spans[(int(row["span_id"], 16) - 1) % len(of_spans)]
        assert _plain(row["v"]) == _plain(want)
    assert len(rows) % 6 == 0
    grouped = store.sql(
        "SELECT typeof(attributes.mix.ed) AS t, count(*) AS n FROM spans GROUP BY 1"
    ).rows()
    copies = len(rows) // 6
    assert {row["t"]: row["n"] // copies for row in grouped} == {
        "object": 3,
        "string": 1,
        "int64": 1,
        "array": 1,
        None: len(PATHS) + 1,
    }


def test_a_quoted_key_finds_its_own_spelling_alone(store: Store) -> None:
    sql = "SELECT count(*) AS n FROM spans WHERE {} IS NOT NULL"
    counts = [
        store.sql(sql.format(path)).rows()[0]["n"]
        for path in (
            "attributes.mix.ed",
            "attributes['mix.ed']",
            "attributes['mix']['ed']",
        )
    ]
    assert counts[0] == counts[1] + counts[2]
    assert counts[1] == counts[2] > 0


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
