"""EXPLAIN and DESCRIBE are statements of the language, and leave the plan that they show as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracestore
from tracestore import Store
from tracestore_query import QueryCursorError, QueryForbiddenError, QuerySyntaxError
from tracestore_query.language.statement import Kind, read_statement

OBJECTS = "SELECT span_id, attributes FROM spans"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT 1", Kind.SELECT),
        ("explain select 1", Kind.EXPLAIN),
        ("-- why is it slow?\nEXPLAIN SELECT 1", Kind.EXPLAIN),
        ("/* ? */ Explain Analyze /* ? */ (SELECT 1) UNION SELECT 2", Kind.EXPLAIN_ANALYZE),
        ("EXPLAIN WITH a AS (SELECT 1) FROM a", Kind.EXPLAIN),
        ("EXPLAIN PIVOT spans ON kind USING count(*)", Kind.EXPLAIN),
        ("DESCRIBE SELECT 1", Kind.DESCRIBE),
        ("DESCRIBE (SELECT 1)", Kind.DESCRIBE),
        ("DESCRIBE FROM spans", Kind.DESCRIBE),
        ("SELECT explain.describe FROM spans AS explain", Kind.SELECT),
        ("SELECT 'EXPLAIN' AS explain", Kind.SELECT),
    ],
)
def test_the_parser_tells_what_a_statement_asks_for(text: str, kind: Kind) -> None:
    assert read_statement(text, {"count"}).kind is kind


@pytest.mark.parametrize(
    "text",
    [
        *("EXPLAIN", "DESCRIBE", "EXPLAIN ANALYZE", "EXPLAIN EXPLAIN SELECT 1"),
        *("DESCRIBE main.spans", "EXPLAIN spans"),
        *("EXPLAIN INSERT INTO spans VALUES (1)", "EXPLAIN SELECT 1; SELECT 2", "EXPLAIN x"),
        *("DESCRIBE EXPLAIN SELECT 1", "EXPLAIN SUMMARIZE spans", "EXPLAIN (ANALYZE) SELECT 1"),
        "SELECT * FROM (EXPLAIN SELECT 1)",
    ],
)
def test_nothing_but_a_query_is_explained(text: str) -> None:
    with pytest.raises((QueryForbiddenError, QuerySyntaxError)):
        read_statement(text, set())


def test_an_error_points_into_the_whole_text() -> None:
    with pytest.raises(QuerySyntaxError, match=r"at line 2, column 1\d"):
        read_statement("EXPLAIN\nSELECT 1 FROM FROM", set())


def test_an_object_is_described_as_json_and_read_as_one_afterwards(many: Store) -> None:
    rows = many.sql(OBJECTS).rows()
    described = many.sql(f"DESCRIBE {OBJECTS}").rows()
    assert [(row["column_name"], row["column_type"]) for row in described] == [
        ("span_id", "VARCHAR"),
        ("attributes", "JSON"),
    ]
    steps = many.sql(f"EXPLAIN {OBJECTS}").rows()
    assert {"step": "rebuilt", "detail": "column 2: attributes, for returned rows"} in steps
    assert many.sql(OBJECTS).rows() == rows


def test_a_plan_has_no_pages(many: Store) -> None:
    for kind in ("EXPLAIN", "DESCRIBE"):
        with pytest.raises(QueryCursorError, match=f"{kind} has no pages"):
            many.sql(f"{kind} {OBJECTS} ORDER BY span_id", cursor="")


def test_parameters_are_given_to_what_is_explained(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", [{"name": "a", "attributes": {"n": 1}}])
        sql = "SELECT count(*) AS n FROM spans WHERE attributes.n = $n"
        assert "profile" in [
            row["step"] for row in store.sql(f"EXPLAIN ANALYZE {sql}", {"n": 1}).rows()
        ]
        [column] = store.sql(f"DESCRIBE {sql}", {"n": 1}).rows()
        assert (column["column_name"], column["column_type"]) == ("n", "BIGINT")


def test_the_engines_sql_is_shown_without_folders(many: Store) -> None:
    steps = many.sql("EXPLAIN ANALYZE SELECT attributes.tokens AS t FROM spans LIMIT 1").rows()
    [sql] = [row["detail"] for row in steps if row["step"] == "engine sql"]
    assert "read_parquet(['" in sql
    assert ".parquet'" in sql
    assert "/" not in sql
