"""The statements of tests/sql become Spark SQL, or are refused by name; no Spark is needed to tell."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from sql.test_sql_files import RECORDS
from tracestore import Store
from tracestore_query.errors import SparkRefusedError
from tracestore_query.language.value_macros import MACROS, OF_ONE_VALUE
from tracestore_query.spark import values
from tracestore_query.spark.engine_plan import EnginePlanner
from tracestore_query.spark.query_text import spark_query

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "spark.md"
LISTED = re.compile(r"^\| (.+?) \| (\d+) \|", re.MULTILINE)

STATEMENTS = [record for record in RECORDS if record.error is None]


def test_what_is_refused_is_named_and_listed(stores: dict[str, Store]) -> None:
    planner = EnginePlanner()
    store = stores["many segments"]
    refused: Counter[str] = Counter()
    for record in STATEMENTS:
        try:
            with store.query.plan_elsewhere(record.sql) as foreign:
                spark_query(foreign.plan, planner.plan(foreign.plan, foreign.values))
        except SparkRefusedError as error:
            refused[error.what] += 1
    planner.close()
    assert refused.total() <= 0.05 * len(STATEMENTS)
    page = PAGE.read_text()
    listed = {what: int(count) for what, count in LISTED.findall(page)}
    assert listed == dict(refused)
    assert f"{len(STATEMENTS) - refused.total()} of {len(STATEMENTS)}" in page


def test_every_macro_of_one_value_has_words_there() -> None:
    macros = {signature.partition("(")[0] for signature in MACROS}
    rules = values.functions(lambda sql, made: made(sql))
    assert rules.keys() == OF_ONE_VALUE.keys()
    assert macros - OF_ONE_VALUE.keys() == {"__first_set"}, "one of a list of values"


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("SELECT approx_quantile(duration, 0.5) FROM spans", "function approx_quantile"),
        ("SELECT regexp_matches(name, '(?P<x>a)') FROM spans", "(?P< of a regular expression"),
        ("SELECT duration_ns::UUID FROM spans", "type UUID"),
        ("SELECT * FROM spans USING SAMPLE 3", "SAMPLE"),
    ],
)
def test_a_refusal_names_what_and_a_way_around_it(
    stores: dict[str, Store], sql: str, what: str
) -> None:
    planner = EnginePlanner()
    with (
        pytest.raises(SparkRefusedError, match=r"on Spark: .* has no equal there; .+") as caught,
        stores["one segment"].query.plan_elsewhere(sql) as foreign,
    ):
        spark_query(foreign.plan, planner.plan(foreign.plan, foreign.values))
    planner.close()
    assert caught.value.what == what
