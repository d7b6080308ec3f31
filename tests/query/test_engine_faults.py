"""A statement that meets a fault of the engine itself ends no other one."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from data.stores import build, span
from tracestore_query import QueryFailedError

# The engine takes a list of JSON for a text, and calls it a fault of its own that the text is no JSON.
FAULT = "SELECT json_type(x) FROM (SELECT unnest([[NULL::JSON], ['1'::JSON]]) AS x)"


def test_the_engine_has_the_fault_that_the_others_are_about() -> None:
    with duckdb.connect() as connection:
        with pytest.raises(duckdb.InternalException):
            connection.sql(FAULT).fetchall()
        with pytest.raises(duckdb.FatalException):
            connection.sql("SELECT 1").fetchall()


def test_a_fault_of_the_engine_ends_its_own_query_alone(tmp_path: Path) -> None:
    rows = {"spans": [span(i) for i in range(3)]}
    count = "SELECT count(*) AS n, max(attributes.number) AS m FROM spans"
    with build(tmp_path / "store", "one segment", rows) as store:
        kept = store.sql(count).rows()
        for _ in range(3):
            with pytest.raises(QueryFailedError, match="the engine has a fault there") as raised:
                store.sql(FAULT).rows()
            assert "Stack" not in str(raised.value) and "INTERNAL" not in str(raised.value)
            # The kept plan, its bound statement, and a text that was never asked.
            assert store.sql(count).rows() == kept == [{"n": 3, "m": 2}]
            assert store.sql(f"{count} WHERE name <> ''").rows() == kept


def test_an_answer_that_is_being_read_says_that_the_engine_was_lost(tmp_path: Path) -> None:
    rows = {"spans": [span(i) for i in range(3)]}
    with build(tmp_path / "store", "one segment", rows) as store:
        read = store.sql("SELECT range FROM range(1000000)")
        batches = read.batches()
        next(batches)
        with pytest.raises(QueryFailedError):
            store.sql(FAULT).rows()
        try:
            rest = sum(batch.num_rows for batch in batches)
        except QueryFailedError as error:
            assert "ask again" in str(error)
        else:
            assert rest > 0
        assert store.sql("SELECT 1 AS one").rows() == [{"one": 1}]
