"""Statements whose words Spark has too, with another meaning: the answers are the same, or they are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from spark.answers import QUIET, alike, both
from tracestore import Store
from tracestore_query.errors import QueryError, SparkRefusedError

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIET]

TIMES = "(VALUES (TIMESTAMP '2024-02-29 23:59:59.6'), (TIMESTAMP '1969-12-31 23:59:59.5')) t(x)"
TEXTS = (
    r"(VALUES ('a' || chr(10) || 'b'), ('Ü' || chr(10)), ('a.b$c'), ('a%b_c\d'), "
    "(chr(160) || ' a' || chr(12288)), (chr(9) || 'z '), ('baaac')) t(x)"
)
DOUBLES = (
    "(VALUES (4.35::DOUBLE), (0.15), (0.35), (1.005), (2.675), (0.285), (0.25), (-0.25), (0.125), (-0.01), "
    "(-0.3), ('-0.0'::DOUBLE), (0.0), (NULL), ('nan'::DOUBLE), ('inf'::DOUBLE), (1e300), (1e23), "
    "(839594614000698.6), (7679983158387556.0), (-7.5), (125), (99999999.995), (1.7e19), (3.5e38), (1e16), "
    "(18446744073709549568.0), (0.49999999999999994), (4.35::FLOAT), (1e-20)) t(x)"
)
NESTED = (
    "(VALUES (1, [NULL, 1]), (2, [1, NULL]), (3, [1, 2]), (4, NULL), (5, []), (6, [NULL]), (7, [1]), "
    "(8, [1, NULL, 3])) t(i, x)"
)
SPELLED = (
    "(VALUES ('1_000'), ('0x10'), ('0X1_f'), ('0b11'), ('0b2'), ('1__0'), ('_1'), ('1_'), (' 1_0 '), ('-0x1'), "
    "('1_0.5_0e1_0'), ('0xFFFFFFFFFFFFFFFF'), ('TRUE '), ('tRUE'), ('y'), ('1' || chr(10)), ('0x1' || chr(10)), "
    "('+1.5'), ('1e-2'), (NULL)) t(x)"
)
IN_JSON = (
    """(VALUES ('true'), ('false'), ('"true"'), ('"yes"'), ('"1"'), ('" 10 "'), ('"+10"'), ('"1_0"'), ('"1.5"'), """
    """('"0x10"'), ('1.5'), ('0'), ('null'), ('[1]'), ('"inf"'), ('".5"'), (NULL)) v(j)"""
)
LISTS = "(VALUES ([3, 1, NULL, 2]), ([]), ([NULL]), (NULL::INTEGER[])) t(x)"
SAME = [
    "SELECT span_id, count(*) FILTER (WHERE kind = 'CLIENT') OVER (PARTITION BY name) AS n FROM spans",
    (
        "SELECT span_id, sum(duration_ns) FILTER (WHERE kind = 'CLIENT') OVER (PARTITION BY name "
        "ORDER BY span_id ROWS 3 PRECEDING) AS n FROM spans"
    ),
    "SELECT name, count(*) AS n, sum(duration_ns) AS s FROM spans WHERE name = 'none' GROUP BY ROLLUP (name)",
    (
        "SELECT name, kind, count(*), grouping(name), grouping(kind), grouping_id(name, kind) FROM spans "
        "GROUP BY CUBE (name, kind)"
    ),
    "SELECT name, count(*), grouping(name) FROM spans GROUP BY GROUPING SETS ((name), (name), (), ())",
    "SELECT name, count(*), grouping(name) FROM spans GROUP BY name",
    f"SELECT strftime(x, '%Hh%Mmin') AS a, strftime(x, '[day %d] {{#}}') AS b FROM {TIMES}",
    f"SELECT strftime(x, 'at''it%%''s%%') AS a FROM {TIMES}",
    *(
        f"SELECT x, {each} AS r FROM {TEXTS}"
        for each in (
            "regexp_replace(x, 'a.', 'Z')",
            "regexp_matches(x, '(?i)ü')",
            "regexp_matches(x, '(?i:ü)')",
            "regexp_extract(x, '(?is)A.(b)', 1)",
            "trim(x)",
            "ltrim(x)",
            "rtrim(x)",
        )
    ),
    (
        "SELECT x, TRY_CAST(x AS BIGINT) AS a, TRY_CAST(x AS UTINYINT) AS b "
        "FROM (VALUES ('2.5'), ('-2.5'), ('3.5'), ('0.5'), ('1e30')) t(x)"
    ),
    (
        "SELECT x, TRY_CAST(x AS UINTEGER) AS a, TRY_CAST(x AS UBIGINT) AS b, TRY_CAST(x AS UTINYINT) AS c "
        "FROM (VALUES (4294967295), (4294967296), (9223372036854775807), (-1), (255), (256)) t(x)"
    ),
    (
        "SELECT x, TRY_CAST(x AS UINTEGER) AS a, TRY_CAST(x AS UBIGINT) AS b, TRY_CAST(x AS UTINYINT) AS c "
        "FROM (VALUES (-0.5::DOUBLE), (4294967296), (18446744073709551616), (255.5), (-1)) t(x)"
    ),
    *(
        f"SELECT x, {each} AS r FROM {LISTS}"
        for each in (
            "x[2:]",
            "x[:2]",
            "x[:-2]",
            "x[-2:]",
            "x[:]",
            "x[NULL:2]",
            "list_slice(x, 1, NULL)",
        )
    ),
    *(
        f"SELECT x, {each} AS r FROM {DOUBLES}"
        for each in (
            "(round(x, 1))::VARCHAR",
            "round(x, 2)",
            "round(x, 12)",
            "round(x, 22)",
            "(round(x, -1))::VARCHAR",
            "round(x, 0)",
            "(round(x))::VARCHAR",
            "round(TRY_CAST(x AS FLOAT), 1)",
            "(trunc(x))::VARCHAR",
            "(ceil(x))::VARCHAR",
            "(floor(x))::VARCHAR",
            "TRY_CAST(x AS DECIMAL(10,2))",
            "TRY_CAST(x AS DECIMAL(4,0))",
            "TRY_CAST(x AS DECIMAL(38,12))",
            "TRY_CAST(x AS DECIMAL(38,0))",
            "TRY_CAST(TRY_CAST(x AS FLOAT) AS DECIMAL(18,5))",
            "TRY_CAST(x AS UBIGINT)",
            "TRY_CAST(x AS UTINYINT)",
            "TRY_CAST(x AS BIGINT)",
            "TRY_CAST(x AS HUGEINT)",
            "TRY_CAST(x AS FLOAT)::DOUBLE",
            "x / 0",
            "(1.0 / x)::VARCHAR",
            "x / '-0.0'::DOUBLE",
            "x % 0",
            "x % 2",
        )
    ),
    (
        "SELECT i, i % 3 AS a, i // 3 AS b, CASE WHEN i = 0 THEN NULL ELSE 7 % i END AS c "
        "FROM (VALUES (0), (-7), (5)) t(i)"
    ),
    (
        "SELECT x, y, date_diff('week', x, y) AS r FROM (VALUES (TIMESTAMP '1900-03-01'), (TIMESTAMP '1969-12-28'), "
        "(TIMESTAMP '2024-02-29 23:00:00')) t(x), (VALUES (TIMESTAMP '1969-12-01'), (TIMESTAMP '1970-01-05'), "
        "(TIMESTAMP '1969-12-29 12:00:00')) u(y)"
    ),
    "SELECT NULL::INTEGER % x AS a, NULL::INTEGER // x AS b FROM (VALUES (0), (1)) t(x)",
    *(
        f"WITH n AS (SELECT * FROM {NESTED}) SELECT a.i, b.i AS j, {each} AS r FROM n a, n b"
        for each in (
            "a.x < b.x",
            "a.x >= b.x",
            "a.x = b.x",
            "a.x BETWEEN b.x AND [1, 2]",
            "[a.x] < [b.x]",
            "{'k': a.x, 'l': 1} > {'k': b.x, 'l': NULL}",
            "list_sort([a.x, b.x])",
        )
    ),
    f"SELECT max(x) AS a, min(x) AS b, arg_max(i, x) AS c, max(x) FILTER (i < 3) AS d FROM {NESTED}",
    f"SELECT max({{'k': x}}) AS a, min({{'k': x}}) AS b FROM {NESTED}",
    f"SELECT list(i ORDER BY x, i) AS a, list(i ORDER BY x DESC NULLS FIRST, i) AS b FROM {NESTED}",
    f"SELECT i, row_number() OVER (ORDER BY x) AS a, max(x) OVER (ORDER BY i) AS b FROM {NESTED}",
    f"SELECT list(i) AS r FROM (SELECT i FROM {NESTED} ORDER BY x DESC LIMIT 4)",
    *(
        f"SELECT x, TRY_CAST(x AS {kind}) AS r FROM {SPELLED}"
        for kind in ("BIGINT", "UTINYINT", "HUGEINT", "DOUBLE", "DECIMAL(10,2)", "BOOLEAN")
    ),
    *(
        f"SELECT j, TRY_CAST(j::JSON AS {kind}) AS r FROM {IN_JSON}"
        for kind in ("BIGINT", "UTINYINT", "DOUBLE", "DECIMAL(10,2)", "BOOLEAN")
    ),
    (
        "SELECT a, a IN (SELECT b FROM (VALUES (1), (NULL)) u(b)) AS r, "
        "a NOT IN (SELECT b FROM (VALUES (1)) u(b)) AS s, "
        "a IN (SELECT b FROM (VALUES (1)) u(b) WHERE b > 1) AS t FROM (VALUES (1), (2), (NULL)) t(a)"
    ),
    (
        "SELECT a, c, a IN (SELECT b FROM (VALUES (1, 1), (NULL, 1), (2, 2), (3, NULL)) u(b, d) WHERE d = c) AS r, "
        "EXISTS (SELECT 1 FROM (VALUES (1), (NULL)) u(d) WHERE d = c) AS s "
        "FROM (VALUES (1, 1), (2, 1), (NULL, 1), (NULL, 2), (2, 2), (2, 5), (NULL, NULL)) t(a, c)"
    ),
    (
        "SELECT avg(x) AS a FROM (VALUES (9007199254740993), (-9007199254740993), (1), (NULL), "
        "(9223372036854775807), (-9223372036854775807)) t(x) UNION ALL "
        "SELECT avg(x) FROM (VALUES (NULL::INTEGER)) t(x)"
    ),
    (
        "SELECT x::VARCHAR AS r, [x]::JSON AS s FROM (VALUES (2e23::DOUBLE), (5e-324), (1.1059157532690442e18), "
        "(-9.999999999999999e22), (2.0e-3), (1.2e-5), (1e16), (123456789012345680.0), (0.00012345678901234567), "
        "(-5.497237672659806e17), (12345678.125), (1234567.1234567891), (1e7)) t(x)"
    ),
    (
        "SELECT to_json(x)::VARCHAR AS r, {'a': [x]}::JSON::VARCHAR AS s FROM (VALUES (1e-5::DOUBLE), (1.5e-6), "
        "(1e-6), (9.9e-7), (-1.25e-10), (1e-300), (1e15), (1e16), (1.2345e20), (1e21), (1.5e22), "
        "(-123456789012345680.0), ('nan'::DOUBLE), ('inf'::DOUBLE), ('-inf'::DOUBLE), ('-0.0'::DOUBLE), (2e23), "
        "(0.0001234), (NULL)) t(x)"
    ),
    "SELECT x::VARCHAR AS r FROM (VALUES (TIMESTAMP '12024-01-31 00:00:00')) t(x)",
    "SELECT lower(x) AS r FROM (VALUES ('ΑΣ'), ('ΣΑΣ ΟΔΟΣ')) t(x)",
    (
        "SELECT json_keys(x) AS r FROM (VALUES ('{\"b\":1,\"a\":{\"c\":2}}'::JSON), ('[1]'), ('{}'), ('null'), "
        '(\'1\'), (\'{"b":1,"\\u0061":2,"b":3}\'), (NULL)) t(x)'
    ),
    "SELECT upper(x) AS r FROM (VALUES ('straße'), ('éx')) t(x)",
    "SELECT regexp_replace('baaac', 'a+|b', '-', 'g') AS a, regexp_replace('baaac', 'a*', '-') AS b",
]
REFUSED = [
    "SELECT rank(ORDER BY duration_ns) OVER (PARTITION BY name ORDER BY span_id) FROM spans",
    "SELECT row_number(ORDER BY duration_ns) OVER (ORDER BY span_id) FROM spans",
    "SELECT first_value(span_id ORDER BY duration_ns) OVER (PARTITION BY name) FROM spans",
    r"SELECT regexp_matches(name, '\Qb$c') FROM spans",
    "SELECT regexp_matches(name, '(?ism)^b$') FROM spans",
    "SELECT regexp_extract(name, '(?iU)a+') FROM spans",
    "SELECT name ILIKE 'AX%' ESCAPE 'X' FROM spans",
    "SELECT start_time::TIMESTAMP::TIMESTAMP_S FROM spans",
    "SELECT regexp_replace(name, 'a*', '-', 'g') FROM spans",
    r"SELECT regexp_replace(name, '\b', '-', 'g') FROM spans",
    "SELECT regexp_replace(name, '(?i)(^|[a-z]?)', '-', 'g') FROM spans",
    "SELECT regexp_split_to_array(name, 'a{0,2}') FROM spans",
    "SELECT regexp_extract_all(name, '(?:a|$)') FROM spans",
    "SELECT regexp_matches(name, 'a{,2}') FROM spans",
    "SELECT (span_id, kind) IN (SELECT * FROM (VALUES ('a', 'x'), (NULL, 'y')) t) FROM spans",
    "SELECT greatest([1], [len(name)]) FROM spans",
    "SELECT list_max([[1], [len(name)]]) FROM spans",
    "SELECT lead(span_id, duration_ns) OVER (ORDER BY span_id) FROM spans",
    "SELECT round(duration, 23) FROM spans",
    "SELECT duration_ns::HUGEINT + 170000000000000000000000000000000000000 FROM spans",
]
FAILING = [
    "SELECT 7 % (x - 7) AS r FROM (VALUES (7)) t(x)",
    "SELECT x // (x - 7) AS r FROM (VALUES (7)) t(x)",
    "SELECT x::FLOAT AS r FROM (VALUES (1e300::DOUBLE)) t(x)",
    "SELECT x::DECIMAL(10,2) AS r FROM (VALUES (99999999.995::DOUBLE)) t(x)",
    "SELECT x::HUGEINT AS r FROM (VALUES (1e39::DOUBLE)) t(x)",
]


@pytest.fixture(scope="module")
def connection(spark: Any, stores: dict[str, Store]) -> Iterator[Any]:
    import tracestore_spark

    with tracestore_spark.connect(spark, stores["one segment"]) as made:
        yield made


@pytest.mark.parametrize("sql", SAME)
def test_the_answers_are_the_same(sql: str, stores: dict[str, Store], connection: Any) -> None:
    ours, theirs = both(stores["one segment"], connection, sql)
    assert alike(ours, theirs), f"\nours {ours[:20]}\ntheirs {theirs[:20]}"


@pytest.mark.parametrize("sql", REFUSED)
def test_what_spark_has_no_words_for_is_refused(sql: str, connection: Any) -> None:
    with pytest.raises(SparkRefusedError):
        connection.explain(sql)


@pytest.mark.parametrize("sql", FAILING)
def test_what_fails_here_fails_there(sql: str, stores: dict[str, Store], connection: Any) -> None:
    from pyspark.errors import PySparkException

    with pytest.raises(QueryError), stores["one segment"].sql(sql) as answer:
        answer.arrow()
    with pytest.raises(PySparkException):
        connection.sql(sql).toArrow()
