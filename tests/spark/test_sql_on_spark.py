"""Statements of tests/sql give the same answers on Spark, whatever state the store is in.

By default each of a part of them in one state; with TRACESTORE_SPARK_ALL=1 all, in all states but memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from spark.answers import QUIET, STORED, alike, both
from sql.sqllogic import Record
from sql.test_sql_files import RECORDS
from tracestore import Store
from tracestore_query.errors import SparkRefusedError

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIET]

EVERY = 13
"""Of so many statements one is asked by default: about as many as a minute allows."""

STATEMENTS = [record for record in RECORDS if record.error is None]
if os.environ.get("TRACESTORE_SPARK_ALL"):
    CASES = [(record, state) for record in STATEMENTS for state in STORED]
else:
    CASES = [
        (record, STORED[at // EVERY % len(STORED)])
        for at, record in enumerate(STATEMENTS)
        if at % EVERY == 0
    ]


@pytest.fixture(scope="module")
def connections(spark: Any, stores: dict[str, Store]) -> Iterator[dict[str, Any]]:
    import tracestore_spark

    made = {state: tracestore_spark.connect(spark, store) for state, store in stores.items()}
    yield made
    for connection in made.values():
        connection.close()


@pytest.mark.parametrize(
    ("record", "state"), CASES, ids=[f"{record.place} {state}" for record, state in CASES]
)
def test_both_engines_give_the_same_answer(
    record: Record, state: str, stores: dict[str, Store], connections: dict[str, Any]
) -> None:
    try:
        ours, theirs = both(stores[state], connections[state], record.sql)
    except SparkRefusedError as refusal:
        assert refusal.what
        return
    assert alike(ours, theirs, record.sort), (
        f"{record.place}:\nours {ours[:20]}\ntheirs {theirs[:20]}"
    )
