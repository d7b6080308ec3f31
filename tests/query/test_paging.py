"""Pages of ordered queries join up to the whole answer, also while rows arrive."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

import tracestore
from tracestore import Store
from tracestore_query import QueryCursorError
from tracestore_query.pages.choices import FREE, ORDERED, UNORDERED
from tracestore_query.pages.moments import CHANCE

QUERIES = [
    "SELECT span_id FROM spans ORDER BY start_ns LIMIT 50",
    "SELECT span_id FROM spans ORDER BY start_time DESC LIMIT 50",
    "SELECT span_id, name FROM spans ORDER BY name, kind DESC LIMIT 37",
    "SELECT span_id FROM spans ORDER BY attributes.ratio DESC LIMIT 37",
    "SELECT span_id, attributes.status FROM spans ORDER BY attributes.status LIMIT 37",
    "SELECT span_id FROM spans ORDER BY attributes.model NULLS FIRST, 1 DESC LIMIT 37",
    "SELECT span_id FROM spans ORDER BY attributes.temperature LIMIT 37",
    "SELECT span_id, attributes FROM spans ORDER BY duration LIMIT 37",
    "SELECT span_id, attributes.ratio AS r FROM spans WHERE r > 3 ORDER BY r LIMIT 37",
    "SELECT name AS n, count(*) AS c FROM spans GROUP BY n ORDER BY c DESC LIMIT 2",
    "SELECT trace_id, max(attributes.ratio) m FROM spans GROUP BY 1 HAVING m > 4 ORDER BY m LIMIT 11",
    "SELECT attributes.model, kind, count(*) FROM spans GROUP BY 1, 2 ORDER BY 1 LIMIT 3",
    "SELECT DISTINCT name, kind FROM spans ORDER BY name, kind LIMIT 4",
    "SELECT span_id, row_number() OVER (ORDER BY start_ns) AS i FROM spans ORDER BY i DESC LIMIT 90",
    "SELECT span_id FROM spans WHERE kind = $kind ORDER BY start_ns + $plus LIMIT 37",
    "SELECT s.span_id FROM spans AS s WHERE s.is_root ORDER BY s.start_ns LIMIT 37",
    "SELECT time_ns FROM logs ORDER BY time_ns DESC LIMIT 37",
    "SELECT trace_id, span_count FROM traces ORDER BY start_time, trace_id LIMIT 37",
    "SELECT span_id FROM experiment('base') ORDER BY start_ns LIMIT 37",
    "SELECT span_id, count(*) OVER (PARTITION BY name) AS c FROM spans ORDER BY name LIMIT 37",
    "SELECT span_id, (SELECT max(start_time) FROM spans) AS m FROM spans ORDER BY name LIMIT 37",
    "SELECT attributes.model AS m, count(*) AS n FROM spans GROUP BY ALL ORDER BY n LIMIT 2",
    "SELECT name, kind, count(*) AS n FROM spans GROUP BY ROLLUP (name, kind) ORDER BY n LIMIT 5",
    "SELECT trace_id FROM traces ORDER BY duration LIMIT 11",
    "SELECT body FROM logs ORDER BY body LIMIT 37",
    "SELECT * FROM logs ORDER BY time LIMIT 37",
    "SELECT DISTINCT name, attributes.model AS m FROM spans ORDER BY name LIMIT 3",
    "SELECT span_id, unnest([1, 1, 2]) AS u FROM spans ORDER BY name LIMIT 100",
    "SELECT span_id FROM (SELECT * FROM spans) ORDER BY name LIMIT 37",
    "SELECT kind, name FROM spans UNION ALL SELECT kind, name FROM spans ORDER BY name LIMIT 100",
    "SELECT a.name FROM spans AS a JOIN spans AS b ON a.span_id = b.parent_span_id ORDER BY 1 LIMIT 37",
    "WITH c AS (SELECT name, kind FROM spans) SELECT * FROM c ORDER BY name, kind IS DISTINCT FROM 'x' LIMIT 70",
    "SELECT span_id FROM spans ORDER BY is_root, attributes LIMIT 37",
    "SELECT span_id FROM spans WHERE start_time < now() ORDER BY attributes.none, name LIMIT 37",
    "SELECT name FROM spans QUALIFY row_number() OVER (PARTITION BY name ORDER BY kind) < 4 ORDER BY kind LIMIT 4",
    "SELECT DISTINCT ON (trace_id) trace_id, span_id FROM spans ORDER BY trace_id, name DESC LIMIT 17",
]


def pages(store: Store, sql: str, **more: Any) -> list[list[dict[str, Any]]]:
    """Returns all pages of a query."""
    found = []
    cursor: str | None = ""
    while cursor is not None:
        result = store.sql(sql, cursor=cursor, **more)
        found.append(result.rows())
        cursor = result.cursor
    return found


def text_of(row: dict[str, Any]) -> str:
    """Returns a row as text that is the same for the same row."""
    return json.dumps(row, sort_keys=True, default=str)


@pytest.mark.parametrize("sql", QUERIES)
def test_pages_join_up_to_the_whole_answer(sql: str, many: Store) -> None:
    params = {"kind": "CLIENT", "plus": 1} if "$" in sql else None
    whole = many.sql(sql.rsplit(" LIMIT ", 1)[0], params).rows()
    found = pages(many, sql, params=params)
    joined = [row for page in found for row in page]
    assert len(found) > 1
    assert sorted(map(text_of, joined)) == sorted(map(text_of, whole))
    size = int(sql.rsplit(" ", 1)[1])
    assert all(len(page) == size for page in found[:-1])
    assert many.sql(sql, params).cursor is None


def test_a_cap_without_limit_can_be_paged(many: Store) -> None:
    sql = "SELECT span_id FROM spans ORDER BY duration"
    found = pages(many, sql, max_rows=100)
    assert [len(page) for page in found] == [100, 100, 100, 100, 80]
    assert len({row["span_id"] for page in found for row in page}) == 480


def test_pages_are_stable_while_rows_arrive(tmp_path: Path) -> None:
    start = 1_790_000_000_000_000_000

    def rows(numbers: range) -> list[dict[str, Any]]:
        return [
            {"trace_id": f"{n:032x}", "span_id": f"{n:016x}", "name": "x", "start_ns": start + n}
            for n in numbers
        ]

    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", rows(range(100, 200)))
        sql = (
            "SELECT start_ns - 1790000000000000000 AS n FROM spans ORDER BY start_ns DESC LIMIT 30"
        )
        seen: list[int] = []
        cursor: str | None = ""
        step = 0
        while cursor is not None:
            result = store.sql(sql, cursor=cursor)
            seen += [row["n"] for row in result.rows()]
            cursor = result.cursor
            # New rows come in front of the pages, and the old ones move to a segment.
            store.insert("spans", rows(range(200 + step * 10, 210 + step * 10)))
            store.flush()
            step += 1
    assert seen == list(range(199, 99, -1))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM spans LIMIT 3",
        "(SELECT name FROM spans ORDER BY name) UNION SELECT name FROM spans",
        "PIVOT (SELECT name, kind FROM spans) ON kind USING count(*)",
    ],
)
def test_what_has_no_order_of_its_own_cannot_be_paged(sql: str, many: Store) -> None:
    with pytest.raises(QueryCursorError, match="cannot page query"):
        many.sql(sql, cursor="")


def test_a_cursor_that_is_not_ours_is_refused(many: Store) -> None:
    sql = "SELECT name FROM spans ORDER BY name LIMIT 3"
    result = many.sql(sql, cursor="")
    result.rows()
    token = result.cursor
    assert token is not None
    held = json.loads(base64.urlsafe_b64decode(token))
    bad = [
        "x",
        "%%%",
        base64.urlsafe_b64encode(b"[]").decode(),
        base64.urlsafe_b64encode(b"\xff").decode(),
        base64.urlsafe_b64encode(json.dumps({**held, "v": 9}).encode()).decode(),
        *(
            base64.urlsafe_b64encode(json.dumps({**held, **wrong}).encode()).decode()
            for wrong in (
                {"k": "%"},
                {"k": 1},
                {"t": "'"},
                {"t": None},
                {"a": -1},
                {"a": True},
                {"a": 2**60},
                {"f": "now()"},
                {"n": "1"},
                {"m": "2026"},
                {"m": 5},
            )
        ),
    ]
    for cursor in bad:
        with pytest.raises(QueryCursorError):
            many.sql(sql, cursor=cursor)
    with pytest.raises(QueryCursorError, match="another query"):
        many.sql("SELECT name FROM spans ORDER BY name LIMIT 4", cursor=token)


def test_a_literal_in_a_cursor_stays_a_literal(many: Store) -> None:
    sql = "SELECT name FROM spans ORDER BY name LIMIT 3"
    result = many.sql(sql, cursor="")
    result.rows()
    held = json.loads(base64.urlsafe_b64decode(result.cursor or ""))
    held["k"] = base64.b64encode(b"op-9' OR '1'='1").decode()
    token = base64.urlsafe_b64encode(json.dumps(held).encode()).decode()
    assert many.sql(sql, cursor=token).rows() == []


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT span_id FROM spans ORDER BY random()", "random"),
        ("SELECT span_id FROM spans WHERE uuid()::VARCHAR > 'a' ORDER BY name", "uuid"),
        ("SELECT span_id FROM spans USING SAMPLE 5 ROWS ORDER BY name", "sample"),
        ("SELECT span_id, age(start_time) AS a FROM spans ORDER BY a", "now"),
        ("SELECT last_value(name) OVER (ORDER BY kind) AS l FROM spans ORDER BY l", "ROWS BETWEEN"),
        ("SELECT json_group_array(name) AS j FROM spans GROUP BY kind ORDER BY j", "the order in which"),
        ("SELECT s.name FROM spans s ASOF JOIN logs l ON s.start_time >= l.time ORDER BY 1", "ASOF"),
        ("SELECT name FROM spans ORDER BY name LIMIT 10 PERCENT", "number of rows"),
        ("SELECT row_number() OVER (ORDER BY 1) AS r FROM spans, (SELECT 1 + 1) ORDER BY r", "columns known"),
    ],
)  # fmt: skip
def test_what_would_be_another_answer_each_time_is_refused_first(
    sql: str, reason: str, many: Store
) -> None:
    with pytest.raises(QueryCursorError, match=reason):
        many.sql(sql, cursor="")


def test_a_limit_may_be_a_parameter(many: Store) -> None:
    found = pages(many, "SELECT span_id FROM spans ORDER BY name LIMIT ?", params=[100])
    assert [len(page) for page in found] == [100, 100, 100, 100, 80]


def test_rows_alike_in_everything_are_counted(many: Store) -> None:
    sql = "SELECT 1 AS one FROM spans AS a, range(3) AS r ORDER BY one LIMIT 500"
    assert [len(page) for page in pages(many, sql)] == [500, 500, 440]


def test_every_aggregate_of_the_engine_is_known_to_keep_or_lose_its_value_in_another_order(
    many: Store,
) -> None:
    """A new version of the engine may bring aggregates of which nobody has said so yet."""
    listed = many.query._engine._duckdb.cursor().execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
    )
    names = {name for (name,) in listed.fetchall()} & many.query._engine.functions
    assert names <= FREE | ORDERED | UNORDERED | CHANCE
