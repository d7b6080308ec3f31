"""Statements whose words Spark has too, with another meaning: the answers are the same, or they are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from spark.answers import QUIET, alike, both
from tracestore import Store
from tracestore_query.errors import SparkRefusedError

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIET]

TIMES = "(VALUES (TIMESTAMP '2024-02-29 23:59:59.6'), (TIMESTAMP '1969-12-31 23:59:59.5')) t(x)"
TEXTS = (
    r"(VALUES ('a' || chr(10) || 'b'), ('Ü' || chr(10)), ('a.b$c'), ('a%b_c\d'), "
    "(chr(160) || ' a' || chr(12288)), (chr(9) || 'z '), ('baaac')) t(x)"
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
