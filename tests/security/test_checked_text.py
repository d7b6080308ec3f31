"""What is checked is what runs: the engine's own tree of a text is judged, whatever our own parser made of it.

The first fence, which judges the tree of our parser, is tested in `test_free_text.py`; here it is taken away.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

import tracestore
from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query import QueryForbiddenError
from tracestore_query.engine import parse_tree
from tracestore_query.engine.duckdb import Engine
from tracestore_query.engine.parse_rules import Allowed
from tracestore_query.engine.parser import Parser
from tracestore_query.execute import row_lookup
from tracestore_query.language import allow_list
from tracestore_query.language.allowed_functions import TABLE_GENERATORS

# What stands in `{}` becomes raw text of the engine's statement.
OPERATOR = "SELECT (1 OPERATOR('{}') 2)"
VALUE = "+) 1), (SELECT {}) AS leaked, (1 OPERATOR(+"
JOIN = "SELECT a.q FROM (SELECT 'x' AS q) a JOIN BY (TYPE '{}') (SELECT 1 AS y) b ON true"

LEAKS = [
    "count(*) FROM glob('/**')",
    "string_agg(name, ',') FROM read_parquet('{folder}/**/*.parquet', union_by_name=true)",
    "count(*) FROM '{folder}/catalog.sqlite'",
    "content FROM read_blob('{folder}/catalog.sqlite')",
    "string_agg(value, ' ') FROM duckdb_settings()",
    "count(*) FROM duckdb_settings",
    "count(*) FROM sqlite_master",
    "count(*) FROM information_schema.tables",
    "count(*) FROM query('SELECT 1')",
    "getenv('PATH')",
    "current_setting('threads')",
]


def raw(template: str, text: str) -> str:
    return template.format(text.replace("'", "''"))


@pytest.fixture
def without_first_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allow_list, "check", lambda *_: None)


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.usefixtures("without_first_fence")
def test_a_subquery_written_raw_is_refused(leak: str, two_projects: Store) -> None:
    text = VALUE.format(leak.format(folder=two_projects.folder))
    with pytest.raises(QueryForbiddenError, match="the engine reads"):
        two_projects.sql(raw(OPERATOR, text), projects={"A"}).rows()


@pytest.mark.parametrize(
    "text",
    [
        "+) 1); COPY (SELECT 1) TO '{folder}/catalog.sqlite' (FORMAT csv); SELECT (1 OPERATOR(+",
        "+) 1); SELECT 2; SELECT (1 OPERATOR(+",
        "+) 1); SET memory_limit = '1TB'; SELECT (1 OPERATOR(+",
        "+) 1) UNION ALL SELECT name FROM spans; --",
    ],
)
@pytest.mark.usefixtures("without_first_fence")
def test_a_second_statement_is_refused(text: str, two_projects: Store) -> None:
    before = (two_projects.folder / "catalog.sqlite").stat().st_size
    statement = raw(OPERATOR, text.format(folder=two_projects.folder))
    with pytest.raises(QueryForbiddenError):
        two_projects.sql(statement, projects={"A"}).rows()
    assert (two_projects.folder / "catalog.sqlite").stat().st_size == before


@pytest.mark.usefixtures("without_first_fence")
def test_a_join_type_written_raw_is_refused(two_projects: Store) -> None:
    asked = f"select name as v from read_parquet('{two_projects.folder}/**/*.parquet')"
    union = (
        f" UNION ALL SELECT V FROM QUERY(replace(lower('{asked.replace(chr(39), chr(39) * 2)}'), "
        "'~', chr(95))) X INNER"
    )
    with pytest.raises(QueryForbiddenError, match="the engine reads"):
        two_projects.sql(raw(JOIN, union), projects={"A"}).rows()


@pytest.mark.parametrize("leak", LEAKS)
def test_both_fences_refuse_it(leak: str, two_projects: Store) -> None:
    text = VALUE.format(leak.format(folder=two_projects.folder))
    with pytest.raises(QueryError):
        two_projects.sql(raw(OPERATOR, text), projects={"A"}).rows()


@pytest.mark.parametrize(
    "text",
    [
        'SELECT * FROM "/x.csv", (WITH "/x.csv" AS (SELECT 1) SELECT * FROM "/x.csv")',
        "SELECT * FROM (WITH sqlite_master AS (SELECT 1) FROM sqlite_master), sqlite_master",
        "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
        "WITH a AS (SELECT * FROM a) SELECT * FROM a",
        "WITH a AS (SELECT 1) SELECT * FROM main.a",
        "SELECT 1 WHERE EXISTS (WITH a AS (SELECT 1) SELECT 1) AND EXISTS (SELECT 1 FROM a)",
    ],
)
def test_a_cte_is_a_table_only_where_it_is_in_sight(text: str) -> None:
    with pytest.raises(QueryForbiddenError, match=r"table|value|name"):
        judge(text)


@pytest.mark.parametrize(
    "text",
    [
        "WITH a AS (SELECT 1 AS x), b AS (SELECT * FROM a) SELECT (SELECT max(x) FROM b) FROM a",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) FROM t",
        "SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) ORDER BY (SELECT 1)",
        "SELECT x::DECIMAL(10, 2), x::STRUCT(a INT, b VARCHAR[]), x::MAP(VARCHAR, INT) FROM t AS x",
        "SELECT list_filter(l, lambda x, y: x > y), [i for i in l if i > 1], l[1:2], {'a': 1}",
        "SELECT sum(a) FILTER (b) OVER (ORDER BY c ROWS 1 PRECEDING EXCLUDE TIES) FROM t",
        "SELECT * FROM t TABLESAMPLE reservoir(20 ROWS) REPEATABLE (5)",
        "SELECT * EXCLUDE (a) REPLACE (b AS c) RENAME (d AS e), COLUMNS('x.*') FROM t",
        "SELECT * FROM t x ASOF JOIN t y ON x.a >= y.a SEMI JOIN t z USING (b)",
        "SELECT * FROM t UNPIVOT INCLUDE NULLS (v FOR n IN (a, b))",
        "SELECT * FROM range(3) WITH ORDINALITY, unnest([1]) u(i), (VALUES (1, 2)) v(a, b)",
        "SELECT a FROM t GROUP BY GROUPING SETS ((a), ()) HAVING a > 1 QUALIFY rank() OVER () = 1",
        "(SELECT 1) UNION ALL BY NAME (SELECT 2) EXCEPT SELECT 3 ORDER BY 1 LIMIT 10 PERCENT",
    ],
)
def test_what_the_dialect_has_is_allowed(text: str) -> None:
    judge(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("SELECT '1'::JSON::VARIANT", "VARIANT"),
        ("SELECT x::main.point FROM t AS x", "main"),
        ("FROM t AT (VERSION => 1)", "at_clause|value"),
        ("SUMMARIZE t", "SHOW_REF"),
        ("SELECT DEFAULT", "DEFAULT"),
        ("SELECT main.lower('x')", "value|name"),
        ("SELECT * FROM read_parquet(['/x.parquet'])", "read_parquet"),
        ("SELECT 1; SELECT 2", "no single SELECT"),
        ("", "no single SELECT"),
        ("COPY t TO '/x'", "no single SELECT"),
        ("DELETE FROM t", "no single SELECT"),
    ],
)
def test_what_nobody_has_judged_is_refused(text: str, named: str) -> None:
    with pytest.raises(QueryForbiddenError, match=named):
        judge(text)


def test_a_reader_may_read_its_own_files_and_no_others() -> None:
    mine = Allowed([], ["list_value", "map"], files=["/s/a.parquet"])
    judge("SELECT * FROM read_parquet(['/s/a.parquet'], schema=MAP {'a': 'b'})", mine)
    for call in (
        "read_parquet(['/s/b.parquet'])",
        "read_parquet(['/s/a.parquet', '/s/*.parquet'])",
        "read_parquet('/s/a.parquet')",
        "read_parquet(files := ['/s/a.parquet'])",
        "read_parquet(list_value(lower('/s/b.parquet')))",
        "read_parquet()",
        "read_parquet([])",
        "read_csv(['/s/a.parquet'])",
    ):
        with pytest.raises(QueryForbiddenError):
            judge(f"SELECT * FROM {call}", mine)


def test_what_planning_looks_up_is_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak = "SELECT content FROM read_blob('/etc/passwd')"
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.datasets.add("gold", [{"id": "1", "input": 1}])
        store.datasets.update("gold", [{"id": "1", "input": 2}])
        assert store.sql("SELECT id FROM dataset('gold')").rows() == [{"id": "1"}]
        monkeypatch.setattr(row_lookup, "newest_rows_sql", lambda _: leak)
        with pytest.raises(QueryForbiddenError, match="the engine reads"):
            store.sql("SELECT id, input FROM dataset('gold')")


@pytest.mark.parametrize(
    "change",
    [
        ('"type":"EMPTY"', '"type":"EMPTY","later":true'),
        ('"type":"EMPTY"', '"type":"LATER"'),
        ('"class":"CONSTANT"', '"class":"LATER"'),
        ('"kind":"INTEGER"', '"kind":"LATER"'),
        ('"aggregate_handling":"STANDARD_HANDLING"', '"aggregate_handling":"LATER"'),
        ('"cte_map":{}', '"cte_map":{"later":1}'),
        ('"statements":[', '"statements":[null,'),
        ('"select_list":[{', '"select_list":[1,{'),
    ],
)
def test_what_a_later_engine_adds_is_refused(change: tuple[str, str]) -> None:
    tree = serialized("SELECT 1")
    assert change[0] in tree
    with pytest.raises(QueryForbiddenError):
        parse_tree.check(json.loads(tree.replace(*change)), Allowed([], []))


def test_a_pivot_statement_is_checked_part_by_part(
    two_projects: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pivot = "PIVOT (SELECT name, project FROM spans) ON project USING count(*) GROUP BY {}"
    assert two_projects.sql(pivot.format("name")).rows()
    monkeypatch.setattr(allow_list, "check", lambda *_: None)
    for leak in LEAKS:
        text = VALUE.format(leak.format(folder=two_projects.folder)).replace("'", "''")
        with pytest.raises(QueryForbiddenError, match="the engine reads"):
            two_projects.sql(pivot.format(f"(1 OPERATOR('{text}') 2)")).rows()


@pytest.mark.parametrize(
    "value",
    [
        "len(range(3000000000))",
        "length(repeat('x', 4000000000))",
        "list_resize(['x'], 500000000, 'y')",
        "list_cosine_similarity(range(100000000)::DOUBLE[], range(100000000)::DOUBLE[])",
        "lpad('x', 1e9::INT, 'y'), rpad('x', 1_000_000_000, 'y')",
    ],
)
def test_one_value_is_not_made_as_large_as_a_number_says(value: str) -> None:
    with pytest.raises(QueryForbiddenError, match="of one value"):
        judge(f"SELECT {value}")
    judge("SELECT repeat('x', 1000), len(range(100000)) FROM range(3000000000)")


def test_what_queries_spill_is_bounded() -> None:
    engine = Engine([], "64MB", 1, spill_bytes=50_000_000)
    try:
        with pytest.raises(duckdb.OutOfMemoryException, match="max_temp_directory_size"):
            engine.cursor().execute(
                "SELECT md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS r FROM range(20000000) ORDER BY r"
            ).fetchone()
    finally:
        engine.close()


ENGINE = Engine([], "1GB", 1)


def serialized(text: str) -> str:
    options = "skip_null := true, skip_empty := true, skip_default := true"
    asked = f"SELECT json_serialize_sql(?::VARCHAR, {options})"
    row = ENGINE.cursor().execute(asked, [text]).fetchone()
    assert row is not None
    return str(row[0])


def judge(text: str, allowed: Allowed | None = None) -> None:
    names = allowed or Allowed(["t"], ENGINE.functions, TABLE_GENERATORS)
    parse_tree.check(json.loads(serialized(text)), names)


def test_a_parser_outlives_the_instance_of_its_cursors() -> None:
    instances = [duckdb.connect(":memory:") for _ in range(2)]

    def cursor() -> duckdb.DuckDBPyConnection:
        return instances[0].cursor()

    parser = Parser(cursor)
    before = parser.tree("SELECT 1")
    idle = parser._idle[0]
    instances.pop(0).close()
    idle.close()
    assert parser.tree("SELECT 1") == before
    parser.close()
    instances[0].close()
