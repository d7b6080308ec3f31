"""Item columns never change an answer: each statement is asked with them and without, wherever the rows lie."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import EVERY_ITEM, STATES, build, ndjson, span
from tracestore import Store

ROLES = ("user", "assistant", "tool", 'a "quoted" role', "")


def _messages(number: int) -> Any:
    draw = random.Random(number)
    if number % 11 == 0:
        return None if number % 2 else "no list"
    found: list[Any] = []
    for place in range(draw.randrange(5)):
        message = {"role": draw.choice(ROLES), "content": f"text {number} {place} é"}
        if place % 2:
            message["name"] = None if number % 3 else f"n{place}"  # type: ignore[assignment]
        if number % 7 == 0:
            message["a.b"] = f"dotted {place}"
        if number % 13 == 0:
            message["Kind"] = "upper"
            message["kind"] = "lower"
        message["score"] = number * place  # type: ignore[assignment]
        found.append(message)
    if number % 17 == 0:
        found += [None, "text", 5, ["role"], {}]
    return found


ROWS: list[dict[str, Any]] = [
    span(
        number,
        input={"messages": _messages(number), "note": number},
        output=[{"type": f"t{number % 3}", "x": {"y": "deep"}} for _ in range(number % 3)],
        metadata={"items": [{"id": f"id{number}"}] if number % 50 == 0 else number},
    )
    for number in range(200)
]
SPANS = "FROM spans AS s, unnest(s.input.messages) AS m"

STATEMENTS = [
    "SELECT span_id, input.messages[0].role FROM spans ORDER BY span_id",
    "SELECT span_id, input.messages[-1].role, input.messages[1].name FROM spans ORDER BY span_id",
    "SELECT span_id, output[0].type, output[0].x.y FROM spans ORDER BY span_id",
    "SELECT span_id FROM spans WHERE input.messages[0].role = 'user' ORDER BY span_id",
    "SELECT span_id FROM spans WHERE input.messages[0].role IS NULL ORDER BY span_id",
    "SELECT span_id FROM spans WHERE input.messages[0].role IN ('tool', '') ORDER BY span_id",
    "SELECT span_id FROM spans WHERE input.messages[0].role LIKE '%quoted%' ORDER BY span_id",
    "SELECT input.messages[0].role AS r, count(*) AS n FROM spans GROUP BY r ORDER BY r",
    "SELECT input.messages[0].role, count(*) AS n FROM spans GROUP BY ALL ORDER BY ALL",
    "SELECT input.messages[0].role::VARCHAR AS r, typeof(input.messages[0].role) AS t FROM spans ORDER BY span_id",
    "SELECT upper(input.messages[0].role) AS u, length(input.messages[0].role) AS l FROM spans ORDER BY span_id",
    "SELECT input.messages[0].role + 1 AS x FROM spans ORDER BY span_id",
    "SELECT max(input.messages[0].role) AS a, min(input.messages[0].content) AS b FROM spans",
    "SELECT coalesce(input.messages[1].role, input.note) AS c FROM spans ORDER BY span_id",
    "SELECT input.messages[0].role::JSON AS j, [input.messages[0].role] AS l FROM spans ORDER BY span_id",
    "SELECT input.messages[0].role.x AS x, input.messages[0]['a.b'] AS d FROM spans ORDER BY span_id",
    "SELECT input.messages[0].kind AS k, input.messages[0].Kind AS u FROM spans ORDER BY span_id",
    f"SELECT m.role AS role, count(*) AS n {SPANS} GROUP BY 1 ORDER BY 1",
    f"SELECT role, count(*) AS n FROM (SELECT m.role AS role {SPANS}) GROUP BY 1 ORDER BY 1",
    f"SELECT role, upper(role) AS u, count(*) AS n FROM (SELECT m.role AS role {SPANS}) GROUP BY role ORDER BY role",
    f"SELECT role, n FROM (SELECT m.role AS role, count(*) AS n {SPANS} GROUP BY m.role) WHERE role = 'user'",
    f"SELECT DISTINCT m.role {SPANS} ORDER BY 1",
    f"SELECT m.role {SPANS} ORDER BY s.span_id, m.content, m.role",
    f"SELECT m.role, m.content {SPANS} ORDER BY s.span_id, m.content, m.role",
    f"SELECT m.role, m {SPANS} ORDER BY s.span_id, m.content, m.role",
    f"SELECT s.span_id, m.role {SPANS} WHERE m.role = 'user' AND m.content LIKE '%1%' ORDER BY 1, m.content",
    f"SELECT count(*) AS n {SPANS} WHERE m.role IS NULL",
    f"SELECT count(*) AS n, count(m.role) AS r, count(m) AS i {SPANS}",
    f"SELECT m.role.x AS x, m['role'] AS r, m.absent AS a {SPANS} ORDER BY s.span_id, m.content, m.role",
    f"SELECT m.name AS name, m.score AS score {SPANS} ORDER BY s.span_id, m.content, m.role",
    f"SELECT max(m.role) AS a, list(m.role ORDER BY m.role) AS l {SPANS}",
    f"SELECT * FROM (SELECT m.role AS r {SPANS}) ORDER BY r",
    f"SELECT r.x AS x, r || '!' AS y FROM (SELECT m.role AS r {SPANS}) ORDER BY y",
    f"WITH w AS (SELECT m.role AS r {SPANS}) SELECT r, count(*) AS n FROM w GROUP BY r HAVING r > 'b' ORDER BY r",
    f"SELECT m.role AS r {SPANS} UNION SELECT name FROM spans ORDER BY 1",
    f"SELECT r FROM (SELECT m.role AS r {SPANS} UNION ALL SELECT input.note FROM spans) ORDER BY r",
    f"SELECT (SELECT m.role {SPANS} ORDER BY m.role LIMIT 1) AS r",
    f"SELECT CASE WHEN m.role = 'user' THEN m.role ELSE s.input.note END AS c {SPANS} ORDER BY c",
    f"SELECT count(*) AS n {SPANS} JOIN (SELECT 'user' AS who) AS w ON w.who = m.role",
    f"SELECT m.role, row_number() OVER (PARTITION BY m.role ORDER BY s.span_id, m.content) AS r {SPANS} ORDER BY 1, 2",
    "SELECT s.span_id, x.role FROM spans AS s LEFT JOIN unnest(s.input.messages) AS t(x) ON true ORDER BY 1, 2",
    "SELECT o.type AS t, count(*) AS n FROM spans AS s, unnest(s.output) AS o GROUP BY 1 ORDER BY 1",
    "SELECT COLUMNS(*) FROM (SELECT m.role AS r FROM spans AS s, unnest(s.input.messages) AS m) ORDER BY 1",
    "SELECT r.role FROM (SELECT unnest(input.messages) AS r, span_id FROM spans) ORDER BY span_id, r.content, r",
    (
        "SELECT a.role AS x, b.role AS y FROM spans AS s, unnest(s.input.messages) AS a, unnest(s.input.messages) AS b "
        "WHERE s.input.note < 20 ORDER BY s.span_id, a.content, b.content, x, y"
    ),
    (
        "SELECT span_id, (SELECT count(*) FROM unnest(input.messages) AS m WHERE m.role = 'user') AS n "
        "FROM spans ORDER BY 1"
    ),
    "SELECT list_transform(input.messages, x -> x.role) AS l FROM spans ORDER BY span_id",
    "SELECT list_transform(input.messages, (x, i) -> x.role || i) AS l FROM spans ORDER BY span_id",
    "SELECT list_transform(input.messages, x -> upper(x.role)) AS l FROM spans ORDER BY span_id",
    "SELECT list_transform(input.messages, x -> x.role = 'user') AS l FROM spans ORDER BY span_id",
    "SELECT list_transform(input.messages, x -> x.role || x.content) AS l FROM spans ORDER BY span_id",
    "SELECT list_filter(input.messages, x -> x.role = 'user') AS l FROM spans ORDER BY span_id",
    "SELECT len(list_filter(input.messages, x -> x.role = 'user')) AS n FROM spans ORDER BY span_id",
    "SELECT [x.role for x in input.messages] AS l FROM spans ORDER BY span_id",
    "SELECT [x.role for x in input.messages if x.role <> 'user'] AS l FROM spans ORDER BY span_id",
    "SELECT [x.score for x in input.messages if x.role <> 'user'] AS l FROM spans ORDER BY span_id",
    "SELECT list_contains([x.role for x in input.messages], 'tool') AS c FROM spans ORDER BY span_id",
    (
        "SELECT list_transform(list_transform(input.messages, x -> x.role), y -> y = 'tool') AS l "
        "FROM spans ORDER BY span_id"
    ),
    "SELECT input.messages FROM spans ORDER BY span_id",
    "SELECT input FROM spans ORDER BY span_id",
    "SELECT * FROM spans ORDER BY span_id",
    "SELECT metadata.items[0].id FROM spans ORDER BY span_id",
    "SELECT path, type, rows FROM paths ORDER BY ALL",
    "DESCRIBE SELECT input.messages[0].role AS r, input.messages FROM spans",
]


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Gives a store whose segments have no item columns."""
    folder = tmp_path_factory.mktemp("without")
    with tracestore.open(folder, background=False, max_item_columns_share=0.0) as store:
        store.insert("spans", ndjson(ROWS))
        store.flush()
        yield store


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """Gives the same rows in every state, in segments with item columns."""
    made = {
        state: build(tmp_path_factory.mktemp("with") / "store", state, {"spans": ROWS}, 3)
        for state in STATES
    }
    folder = tmp_path_factory.mktemp("with") / "store"
    made["half in memory"] = tracestore.open(folder, background=False, **EVERY_ITEM)
    made["half in memory"].insert("spans", ndjson(ROWS[:120]))
    made["half in memory"].flush()
    made["half in memory"].insert("spans", ndjson(ROWS[120:]))
    made["some without"] = _some_without(tmp_path_factory.mktemp("some"))
    yield made
    for store in made.values():
        store.close()


def _some_without(folder: Path) -> Store:
    """Returns a store with segments of both versions, one with its lists in the tail, and rows in memory."""
    with tracestore.open(folder, background=False, max_item_columns_share=0.0) as store:
        store.insert("spans", ndjson(ROWS[:60]))
        store.flush()
    store = tracestore.open(folder, background=False, **EVERY_ITEM)
    for start, stop in ((60, 120), (120, 125), (125, 180)):
        store.insert("spans", ndjson(ROWS[start:stop]))
        store.flush()
    store.insert("spans", ndjson(ROWS[180:]))
    return store


@pytest.mark.parametrize("state", [*STATES, "half in memory", "some without"])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_answers_are_those_without_item_columns(
    statement: str, state: str, stores: dict[str, Store], without: Store
) -> None:
    want, got = without.sql(statement), stores[state].sql(statement)
    assert got.types == want.types
    assert got.rows() == want.rows()


@pytest.mark.parametrize("state", [*STATES, "half in memory"])
@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT m.role AS role, count(*) AS n {SPANS} GROUP BY 1",
        "SELECT input.messages[0].role FROM spans",
        "SELECT list_transform(input.messages, x -> x.role) AS l FROM spans",
        "SELECT [x.role for x in input.messages if x.role <> 'user'] AS l FROM spans",
    ],
)
def test_only_the_texts_are_read(statement: str, state: str, stores: dict[str, Store]) -> None:
    text = str(stores[state].sql(f"EXPLAIN {statement}").rows())
    assert "input.messages[].role" in text
    assert "input.messages:json[]" not in text


def test_lists_are_read_of_segments_without_item_columns_alone(stores: dict[str, Store]) -> None:
    store = stores["some without"]
    explained = str(store.sql(f"EXPLAIN SELECT m.role AS role {SPANS}").rows())
    assert "input.messages[].role" in explained
    assert "input.messages:json[]" in explained
    whole = "SELECT m.role, s.input.messages FROM spans AS s, unnest(s.input.messages) AS m"
    assert "input.messages:json[]" in str(store.sql(f"EXPLAIN {whole}").rows())
