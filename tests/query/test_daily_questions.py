"""Questions of daily use that are easily answered wrongly, and others of their kinds: right wherever the rows lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import STATES, build, span
from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query import QueryFailedError

MESSAGES = [{"role": "system", "content": "be nice"}, {"role": "user", "content": "hello"}]
ROWS: list[dict[str, Any]] = [
    {"attributes": {"gen_ai.operation.name": "chat", "ms": 9, "x": 200, "l": [1, "a", None]}},
    {"attributes": {"ms": 10, "x": "err"}, "input": MESSAGES, "output": "b"},
    {"attributes": {"ms": 100, "y": ["a", "b"]}, "output": {"x.y": 7, "x": {"y": 8}}},
    {"attributes": {"ms": 2, "y": "hello"}, "output": "a", "metadata": {"m": 1, "rare": 5}},
    {"attributes": {"ms": "timeout"}, "output": "c", "metadata": {"rare": 5, "m": 1.0}},
]
"""Rows 3 and 4 have one object, whose keys came in another order."""

CASES: list[tuple[str, list[Any]]] = [
    # `->` and `->>` mean what they mean in DuckDB: a key that holds dots is one key.
    ("attributes->>'gen_ai.operation.name' FROM spans ORDER BY start_ns LIMIT 1", ["chat"]),
    (
        "json_extract_string(attributes, 'gen_ai.operation.name') FROM spans ORDER BY start_ns LIMIT 1",
        ["chat"],
    ),
    ("count(*) FROM spans WHERE attributes->>'gen_ai.operation.name' = 'chat'", [1]),
    ("output->>'x.y' FROM spans WHERE typeof(output) = 'object'", ["7"]),
    ("output->'x'->>'y' FROM spans WHERE typeof(output) = 'object'", ["8"]),
    # Numbers are numbers beside a text.
    ("attributes.ms FROM spans WHERE attributes.ms > 5 ORDER BY 1", [9, 10, 100]),
    ("attributes.ms FROM spans ORDER BY attributes.ms DESC LIMIT 2", ["timeout", 100]),
    ("max(attributes.ms) FROM spans WHERE typeof(attributes.ms) = 'int64'", [100]),
    ("arg_max(span_id, attributes.ms) FROM spans WHERE attributes.ms > 0", [f"{3:016x}"]),
    ("sum(attributes.ms) FROM spans", [121]),
    ("median(attributes.ms) FROM spans", [9.5]),
    # Each row keeps its own value.
    ("coalesce(attributes.x, 0) FROM spans ORDER BY start_ns LIMIT 3", [200, "err", 0]),
    ("ifnull(attributes.x, 'none') FROM spans ORDER BY start_ns LIMIT 3", [200, "err", "none"]),
    ("nullif(attributes.x, 'err') FROM spans ORDER BY start_ns LIMIT 2", [200, None]),
    # A message's content is a text without quotes.
    ("length(input[1].content) FROM spans WHERE input IS NOT NULL", [5]),
    ("concat(input[1].content, '!') FROM spans WHERE input IS NOT NULL", ["hello!"]),
    ("split_part(input[1].content, 'l', 1) FROM spans WHERE input IS NOT NULL", ["he"]),
    (
        "md5(input[1].content) FROM spans WHERE input IS NOT NULL",
        [hashlib.md5(b"hello").hexdigest()],
    ),
    (
        "array_to_string(list_transform(input, m -> m.content), ' ') FROM spans WHERE input IS NOT NULL",
        ["be nice hello"],
    ),
    (
        "len(list_filter(input, m -> m.role = 'user')) FROM spans WHERE input IS NOT NULL",
        [1],
    ),
    ("length(attributes.y) FROM spans WHERE attributes.y = 'hello'", [5]),
    # A null in a list is NULL.
    ("count(m) FROM spans, unnest(attributes.l) t(m)", [2]),
    (
        "list_filter(attributes.l, e -> e IS NOT NULL) FROM spans ORDER BY start_ns LIMIT 1",
        [[1, "a"]],
    ),
    # One object is one value, whatever the order of its keys and 1 beside 1.0.
    ("count(DISTINCT metadata) FROM spans", [1]),
    ("count(*) FROM spans a JOIN spans b ON a.metadata = b.metadata", [4]),
    ("n FROM (SELECT metadata, count(*) AS n FROM spans GROUP BY ALL) ORDER BY n", [2, 3]),
    # Texts before objects.
    ("output FROM spans WHERE typeof(output) = 'string' ORDER BY output", ["a", "b", "c"]),
    ("output AS o FROM spans WHERE output IS NOT NULL ORDER BY o LIMIT 3", ["a", "b", "c"]),
    # A payload in a struct or list stays one.
    ("{'h': input} FROM spans WHERE input IS NOT NULL", [{"h": MESSAGES}]),
    ("[output] FROM spans WHERE output = 'a'", [["a"]]),
    ("{'o': {'p': output}} FROM spans WHERE output = 'a'", [{"o": {"p": "a"}}]),
    # The alias of an object in WHERE.
    ("metadata AS i FROM spans WHERE i IS NOT NULL LIMIT 1", [{"m": 1, "rare": 5}]),
]


@pytest.fixture(scope="module", params=STATES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    rows = [span(i, **row) for i, row in enumerate(ROWS)]
    folder = tmp_path_factory.mktemp("daily") / "store"
    with build(folder, request.param, {"spans": rows}) as made:
        yield made


@pytest.mark.parametrize(("sql", "right"), CASES, ids=[sql for sql, _ in CASES])
def test_a_question_has_the_right_answer(store: Store, sql: str, right: list[Any]) -> None:
    assert [next(iter(row.values())) for row in store.sql(f"SELECT {sql}").rows()] == right


@pytest.mark.parametrize(
    ("sql", "right"),
    [
        ("SELECT input FROM spans", "JSON[]"),
        ("SELECT output FROM spans", "JSON"),
        ("SELECT attributes.ms FROM spans", "JSON"),
        ("SELECT attributes.gen_ai.operation.name FROM spans", "VARCHAR"),
        ("SELECT events FROM spans", "JSON"),
        ("SELECT count(*) FROM spans", "BIGINT"),
    ],
)
def test_describe_tells_the_type_of_the_answer(store: Store, sql: str, right: str) -> None:
    assert [row["column_type"] for row in store.sql(f"DESCRIBE {sql}").rows()] == [right]
    assert list(store.sql(sql).types) == [right]


def test_an_error_is_one_type_and_text_before_and_behind_the_first_batch(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        for start in (0, 100):
            opened.insert("spans", [span(start + i, name=f"n{start + i}") for i in range(100)])
            opened.flush()
        texts = []
        for sql in (
            "SELECT name::INTEGER AS v FROM spans",
            "SELECT 1 AS v UNION ALL SELECT name::INTEGER FROM spans",
            "SELECT CASE WHEN duration_ns > 1150 THEN name::INTEGER ELSE 1 END AS v FROM spans",
        ):
            with pytest.raises(
                QueryFailedError, match="cannot run query: Conversion Error"
            ) as raised:
                opened.sql(sql).rows()
            texts.append(str(raised.value))
        assert not any(word in text for text in texts for word in ("parquet", "__", "LINE", "/"))


def test_a_dataset_of_computed_rows_holds_what_the_spans_hold(tmp_path: Path) -> None:
    rows = [span(i, **row) for i, row in enumerate(ROWS)]
    with build(tmp_path / "store", "one segment", {"spans": rows}) as opened:
        sql = "SELECT {'history': input} AS input, {'o': output} AS metadata FROM spans WHERE output = 'b'"
        found = opened.sql(sql).rows()
        assert found == [{"input": {"history": MESSAGES}, "metadata": {"o": "b"}}]


@pytest.mark.parametrize("names", [8, 12, 18, 60])
def test_a_path_of_many_names_is_found(tmp_path: Path, names: int) -> None:
    value: Any = 1
    for i in reversed(range(names)):
        value = {f"k{i}": value}
    path = ".".join(f"k{i}" for i in range(names))
    with build(tmp_path / "store", "one segment", {"spans": [span(0, input=value)]}) as opened:
        assert opened.sql(f"SELECT input.{path} AS v FROM spans").rows() == [{"v": 1}]
        assert opened.sql(f"SELECT [input][1].{path} AS v FROM spans").rows() == [{"v": 1}]


def test_a_path_of_hundreds_of_indexes_is_refused_at_once(tmp_path: Path) -> None:
    with (
        build(tmp_path / "store", "one segment", {"spans": [span(0)]}) as opened,
        pytest.raises(QueryError, match="more than 100 steps in brackets"),
    ):
        opened.sql("SELECT attributes.a" + "[0]" * 500 + " FROM spans")
