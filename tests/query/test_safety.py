"""What queries must never do. The list of what a query may be made of and the engine's own locks are
tested apart: each must hold alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

import tracestore
from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query import QueryForbiddenError, QuerySyntaxError, UnknownNameError
from tracestore_query.engine.duckdb import Engine

# {secret} is a file that the process can read, {folder} a folder it can write, {segment} a segment.
ATTACKS = """
SELECT * FROM '{secret}'
SELECT * FROM "{secret}"
SELECT * FROM '{segment}'
SELECT * FROM "{segment}"
SELECT * FROM read_csv('{secret}')
SELECT * FROM read_csv_auto('{secret}')
SELECT * FROM "read_csv"('{secret}')
SELECT * FROM READ_CSV('{secret}')
SELECT * FROM read_text('{secret}')
SELECT * FROM read_blob('{secret}')
SELECT * FROM read_json('{secret}')
SELECT * FROM read_json_auto('{secret}')
SELECT * FROM read_ndjson_objects('{secret}')
SELECT * FROM read_parquet('{segment}')
SELECT * FROM read_parquet(['{segment}'])
SELECT * FROM parquet_scan('{segment}')
SELECT * FROM parquet_metadata('{segment}')
SELECT * FROM parquet_schema('{segment}')
SELECT * FROM parquet_kv_metadata('{segment}')
SELECT * FROM parquet_file_metadata('{segment}')
SELECT * FROM parquet_bloom_probe('{segment}', 'trace_id', 'x')
SELECT * FROM read_duckdb('{secret}')
SELECT * FROM sniff_csv('{secret}')
SELECT * FROM glob('/*')
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('spans')
SELECT * FROM query_table(['spans'])
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_views()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_external_file_cache()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_prepared_statements()
SELECT * FROM which_secret('{secret}', 's3')
SELECT * FROM pragma_version()
SELECT * FROM pragma_table_info('spans')
SELECT * FROM pragma_database_size()
SELECT * FROM pragma_user_agent()
SELECT * FROM information_schema.schemata
SELECT * FROM information_schema.key_column_usage
SELECT * FROM memory.information_schema.tables
SELECT * FROM pg_catalog.pg_tables
SELECT * FROM main.spans
SELECT * FROM memory.main.spans
SELECT * FROM temp.spans
SELECT * FROM system.main.duckdb_settings
SELECT * FROM sqlite_master
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM pandas_scan(1)
SELECT * FROM python_map_function()
SELECT * FROM seq_scan('spans')
SELECT * FROM test_all_types()
SELECT * FROM repeat_row(1, num_rows = 10)
SELECT * FROM json_execute_serialized_sql('x')
SELECT * FROM checkpoint()
SELECT * FROM enable_logging()
SELECT * FROM summary((SELECT 1))
SELECT * FROM register_external_resource('a')
SELECT getenv('PATH')
SELECT "getenv"('PATH')
SELECT current_setting('memory_limit')
SELECT getvariable('x')
SELECT current_database()
SELECT current_schema()
SELECT current_schemas(true)
SELECT current_query()
SELECT current_user
SELECT session_user()
SELECT version()
SELECT txid_current()
SELECT nextval('s')
SELECT setval('s', 1)
SELECT setseed(0.5)
SELECT sleep_ms(100000)
SELECT pg_sleep(100000)
SELECT pg_get_viewdef(1)
SELECT has_table_privilege('spans', 'select')
SELECT write_log('x')
SELECT json_serialize_sql('SELECT 1')
SELECT json_deserialize_sql('x')
SELECT json_serialize_plan('SELECT 1')
SELECT inet_server_addr()
SELECT error('x')
SELECT stats(name) FROM spans
SELECT list_transform(['{secret}'], x -> read_text(x))
SELECT (SELECT content FROM read_text('{secret}'))
SELECT 1 WHERE EXISTS (FROM read_text('{secret}'))
SELECT * FROM spans JOIN '{secret}' ON true
SELECT * FROM spans, LATERAL (SELECT * FROM read_text(name))
WITH x AS (SELECT * FROM read_text('{secret}')) SELECT * FROM x
WITH x AS (FROM '{secret}') SELECT * FROM x
WITH "read_text" AS (SELECT 1) SELECT * FROM read_text('{secret}')
WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 1 FROM glob('/*')) SELECT * FROM x
SELECT 1 UNION ALL SELECT content FROM read_text('{secret}')
FROM read_text('{secret}')
FROM '{secret}'
TABLE '{secret}'
PIVOT '{secret}' ON a USING count(*)
PIVOT read_csv('{secret}') ON a USING count(*)
UNPIVOT '{secret}' ON a
DESCRIBE '{secret}'
DESCRIBE SELECT * FROM '{secret}'
EXPLAIN SELECT * FROM '{secret}'
EXPLAIN ANALYZE SELECT * FROM read_text('{secret}')
EXPLAIN COPY spans TO '{folder}/x'
EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/x'
SUMMARIZE '{secret}'
SHOW DATABASES
DESCRIBE
COPY spans TO '{folder}/x.csv'
COPY (SELECT 1) TO '{folder}/x.csv'
COPY spans FROM '{secret}'
EXPORT DATABASE '{folder}/x'
IMPORT DATABASE '{folder}/x'
ATTACH '{folder}/x.db'
ATTACH ':memory:' AS x
DETACH memory
USE memory
INSTALL httpfs
LOAD httpfs
FORCE INSTALL httpfs
SET memory_limit = '1TB'
SET enable_external_access = true
SET GLOBAL threads = 1
RESET memory_limit
PRAGMA database_list
PRAGMA enable_profiling
CALL pragma_version()
CREATE TABLE t (a INT)
CREATE TABLE t AS SELECT 1
CREATE VIEW v AS SELECT 1
CREATE MACRO f(x) AS read_text(x)
CREATE MACRO f(x) AS TABLE SELECT * FROM read_text(x)
CREATE OR REPLACE MACRO lower(x) AS 'x'
CREATE FUNCTION f() AS 1
CREATE SECRET s (TYPE s3)
CREATE TYPE t AS ENUM ('a')
CREATE SEQUENCE s
INSERT INTO spans VALUES (1)
UPDATE spans SET name = 'x'
DELETE FROM spans
MERGE INTO spans USING spans ON true WHEN MATCHED THEN DELETE
TRUNCATE spans
DROP TABLE spans
ALTER TABLE spans RENAME TO x
COMMENT ON TABLE spans IS 'x'
BEGIN
COMMIT
CHECKPOINT
VACUUM
ANALYZE
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE p
GRANT ALL ON spans TO x
KILL 1
SELECT 1 INTO x
SELECT * FROM spans FOR UPDATE
SELECT 1; DROP TABLE spans
SELECT 1; SELECT 2
SELECT '{secret}'::nosuchtype
SELECT CAST(name AS read_csv) FROM spans
SELECT __place FROM spans
SELECT "__file" FROM spans
SELECT filename FROM spans
SELECT file_row_number FROM spans
SELECT spans.filename FROM spans
SELECT rowid FROM spans
SELECT _overflow FROM spans
SELECT COLUMNS('__.*') FROM spans
SELECT COLUMNS(c -> c LIKE '%') FROM spans
SELECT * FROM __scan_0
SELECT * FROM spans AS __x
WITH __x AS (SELECT 1) SELECT * FROM __x
SELECT @@version
SELECT $$a
SELECT * FROM spans AT (VERSION => 1)
SELECT * FROM VALUES
SELECT nosuch(1)
SELECT spans.read_text('{secret}') FROM spans
SELECT '{secret}'.read_text()
SELECT ('{secret}').read_text()
SELECT name.getenv() FROM spans
SELECT memory.main.getenv('PATH')
SELECT system.main.current_setting('threads')
""".strip().splitlines()

# The same straight on the engine: only what the engine's locks must hold off.
LOCKED = """
SELECT * FROM '{secret}'
SELECT * FROM read_csv('{secret}')
SELECT * FROM read_text('{secret}')
SELECT * FROM read_blob('{secret}')
SELECT * FROM read_json('{secret}')
SELECT * FROM sniff_csv('{secret}')
SELECT * FROM query('FROM read_text(''{secret}'')')
SELECT * FROM query_table('{secret}')
SELECT * FROM glob('/etc/*')
COPY (SELECT 1) TO '{folder}/x.csv'
COPY (SELECT 1) TO '{folder}/x.parquet'
EXPORT DATABASE '{folder}/x'
ATTACH '{folder}/x.db'
INSTALL httpfs
LOAD httpfs
SET memory_limit = '1TB'
SET enable_external_access = true
SET allowed_directories = ['/']
SET lock_configuration = false
SET python_enable_replacements = true
SET threads = 64
RESET memory_limit
SET temp_directory = '{folder}'
SELECT * FROM read_csv('https://example.com/x.csv')
SELECT * FROM read_parquet('s3://bucket/x.parquet')
CREATE SECRET s (TYPE s3)
SELECT * FROM secret_frame
SELECT * FROM read_blob('{store}/catalog.sqlite')
SELECT * FROM read_blob('{store}/wal/*')
SELECT * FROM read_text('{store}/LOCK')
""".strip().splitlines()


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    path.write_text("a,b\n1,hidden\n")
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = tracestore.open(tmp_path_factory.mktemp("safety") / "store", background=False)
    for project in ("mine", "theirs"):
        rows = [
            {
                "trace_id": f"{i:032x}" if project == "mine" else f"{i:031x}f",
                "span_id": f"{i:016x}",
                "name": f"{project} {i}",
                "start_ns": 1_790_000_000_000_000_000 + i,
                "experiment": f"run of {project}",
                "attributes": {f"only_{project}": i, "both": project},
                "scores": {"accuracy": i},
                "input": {"q": i},
            }
            for i in range(1, 41)
        ]
        opened.insert("spans", rows, project=project)
        logs = [{"time_ns": 1_790_000_000_000_000_000 + i, "body": project} for i in range(5)]
        opened.insert("logs", logs, project=project)
    opened.flush()
    opened.insert(
        "spans", [{"name": "theirs in memory", "attributes": {"both": 1}}], project="theirs"
    )
    yield opened
    opened.close()


def filled(statement: str, store: Store, secret: Path) -> str:
    with store.snapshot() as snapshot:
        segment = snapshot.tables["spans"].segments[0].uri
    return statement.format(
        secret=secret, folder=secret.parent, segment=segment, store=store.folder
    )


def test_the_lists_are_long_enough() -> None:
    assert len(set(ATTACKS)) == len(ATTACKS) >= 60


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused(attack: str, store: Store, secret: Path) -> None:
    statement = filled(attack, store, secret)
    with pytest.raises(QueryError) as caught:
        store.sql(statement, timeout_s=20).rows()
    message = str(caught.value)
    assert message
    assert "hidden" not in message
    assert "__" not in message.replace("two underscores", "") or "__" in attack
    if str(store.folder) not in statement:
        assert str(store.folder) not in message
    assert sorted(path.name for path in secret.parent.iterdir()) == ["secret.csv"]


@pytest.mark.parametrize("statement", LOCKED)
def test_the_engine_alone_refuses_it(statement: str, store: Store, secret: Path) -> None:
    secret_frame = [1]  # what a replacement scan would find by its name
    engine = Engine([str(store.segment_folders[0])], "1GB", 1)
    try:
        with pytest.raises(duckdb.Error):
            engine.cursor().execute(filled(statement, store, secret)).fetchall()
    finally:
        engine.close()
    assert secret_frame == [1]
    assert sorted(path.name for path in secret.parent.iterdir()) == ["secret.csv"]


def test_the_engine_reads_its_own_folder(store: Store, secret: Path) -> None:
    engine = Engine([str(store.segment_folders[0])], "1GB", 1)
    statement = filled("SELECT count(*) FROM read_parquet('{segment}')", store, secret)
    assert engine.cursor().execute(statement).fetchall() == [(40,)]
    engine.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT DISTINCT project FROM spans",
        "SELECT DISTINCT project FROM logs",
        "SELECT DISTINCT project FROM traces",
        "SELECT DISTINCT project FROM experiments",
        "SELECT DISTINCT project FROM segments",
        "SELECT name FROM projects",
        "SELECT DISTINCT project FROM (SELECT * FROM spans UNION ALL SELECT * FROM spans)",
        "SELECT DISTINCT a.project FROM spans a, spans b WHERE b.project = 'theirs' OR true",
        "WITH x AS (SELECT * FROM spans) SELECT DISTINCT project FROM x",
    ],
)
def test_other_projects_do_not_show(statement: str, store: Store) -> None:
    rows = store.sql(statement, projects={"mine"}).rows()
    assert rows
    assert {value for row in rows for value in row.values()} == {"mine"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM spans WHERE project = 'theirs'",
        "SELECT * FROM project_logs('theirs')",
        "SELECT * FROM experiment('run of theirs')",
        "SELECT * FROM experiment('run of theirs', 'theirs')",
        "SELECT * FROM compare('run of theirs', 'no run')",
        "SELECT * FROM compare('no run', 'run of theirs', project := 'theirs')",
        "SELECT * FROM experiments WHERE name = 'run of theirs'",
        "SELECT * FROM datasets",
        "SELECT * FROM dataset_versions",
        "SELECT * FROM spans WHERE search('theirs')",
        "SELECT * FROM spans WHERE trace_id = '0000000000000000000000000000028f'",
        "SELECT attributes FROM spans WHERE attributes.only_theirs IS NOT NULL",
        "SELECT * FROM paths WHERE path LIKE '%theirs%'",
    ],
)
def test_other_projects_rows_are_not_there(statement: str, store: Store) -> None:
    assert store.sql(statement, projects={"mine"}).rows() == []
    assert store.sql("SELECT count(*) AS n FROM spans", projects=set()).rows() == [{"n": 0}]


def test_hints_do_not_name_other_projects_paths(store: Store) -> None:
    result = store.sql("SELECT attributes.only_their FROM spans", projects={"mine"})
    result.rows()
    assert result.warnings
    assert "theirs" not in " ".join(result.warnings)


def test_literals_cannot_leave_their_quotes(store: Store) -> None:
    for text in ("x' OR '1'='1", "x''; DROP TABLE spans; --", 'x" OR "1"="1', "x\\' OR 1=1 --"):
        quoted = text.replace("'", "''")
        statement = f"SELECT count(*) AS n FROM experiment('{quoted}')"
        assert store.sql(statement).rows() == [{"n": 0}]
        statement = f"SELECT attributes['{quoted}'] AS v FROM spans LIMIT 1"
        assert store.sql(statement).rows() == [{"v": None}]
        assert store.sql("SELECT $v AS v", {"v": text}).rows() == [{"v": text}]


BOMBS: dict[str, Callable[[int], str]] = {
    "parentheses": lambda n: "SELECT " + "(" * n + "1" + ")" * n,
    "unclosed": lambda n: "SELECT " + "(" * n,
    "subqueries": lambda n: "SELECT * FROM (" * n + "SELECT 1" + ")" * n,
    "nots": lambda n: "SELECT " + "NOT " * n + "true",
    "minuses": lambda n: "SELECT " + "- " * n + "1",
    "sums": lambda n: "SELECT " + "1 + " * n + "1",
    "ands": lambda n: "SELECT 1 FROM spans WHERE " + "true AND " * n + "true",
    "dots": lambda n: "SELECT attributes" + ".a" * n + " FROM spans",
    "brackets": lambda n: "SELECT attributes" + "[0]" * n + " FROM spans",
    "brackets and dots": lambda n: "SELECT attributes" + "[0].a" * n + " FROM spans",
    "brackets of brackets": lambda n: "SELECT " + "input[" * n + "0" + "]" * n + " FROM spans",
    "brackets of queries": lambda n: (
        "SELECT " + "(SELECT input[" * n + "0" + "] FROM spans LIMIT 1)" * n
    ),
    "slices": lambda n: "SELECT attributes" + "[0:1]" * n + " FROM spans",
    "casts": lambda n: "SELECT 1" + "::INT" * n,
    "lists": lambda n: "SELECT " + "[" * n + "]" * n,
    "types": lambda n: "SELECT NULL::" + "STRUCT(a " * n + "INT" + ")" * n,
    "cases": lambda n: "SELECT " + "CASE WHEN true THEN " * n + "1" + " END" * n,
    "unions": lambda n: "SELECT 1 " + "UNION ALL SELECT 1 " * n,
    "ctes": lambda n: (
        "WITH a AS (SELECT 1)" + "".join(f", a{i} AS (FROM a)" for i in range(n)) + " SELECT 1"
    ),
    "joins": lambda n: "SELECT 1 FROM spans a" + "".join(f", spans a{i}" for i in range(n)),
    "doubled": lambda n: (
        "WITH a0 AS (SELECT 1 AS x)"
        + "".join(
            f", a{i + 1} AS (SELECT * FROM a{i} UNION ALL SELECT * FROM a{i})" for i in range(n)
        )
        + f" SELECT count(*) FROM a{n}"
    ),
    "columns": lambda n: "SELECT " + ", ".join(["attributes.both"] * n) + " FROM spans",
    "functions": lambda n: "SELECT " + "lower(" * n + "'x'" + ")" * n,
    "comments": lambda n: "SELECT 1 " + "/*" * n,
    "quotes": lambda n: "SELECT '" + "''" * n,
    "words": lambda n: "SELECT 1 FROM spans WHERE search('" + "a " * n + "')",
}


@pytest.mark.parametrize("size", [6, 60, 2_000, 100_000])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_with_a_typed_error_or_an_answer(name: str, size: int, store: Store) -> None:
    try:
        store.sql(BOMBS[name](size), timeout_s=10, max_rows=1).rows()
    except QueryError as error:
        assert len(str(error)) < 2_000


def test_a_megabyte_of_text_is_refused_before_it_is_parsed(store: Store) -> None:
    with pytest.raises(QueryForbiddenError, match="longer than"):
        store.sql("SELECT 1" + " " * 1_000_001)
    with pytest.raises(QueryError):
        store.sql("SELECT '" + secrets.token_hex(400_000) + "' FROM nowhere")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT lower(", QuerySyntaxError),
        ("SELECT \x00 FROM spans", QueryError),
        ("SELECT '\ud800'", QueryError),
        ("\ufeffSELECT nosuch FROM spans", QueryError),
        ("SELECT nosuch FROM spans", UnknownNameError),
        ("", QuerySyntaxError),
    ],
)
def test_odd_text_is_a_typed_error(statement: str, error: type[QueryError], store: Store) -> None:
    with pytest.raises(error):
        store.sql(statement).rows()
