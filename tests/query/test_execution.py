"""A statement that the engine has bound serves one query at a time, and no query ever feels the one before it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import tracestore
from data.processes import HANG_S
from tracestore import Store
from tracestore_query import Query, QueryFailedError, QueryTimeoutError
from tracestore_query.engine.watchdog import Watchdog
from tracestore_query.execute.execution import Execution, Statement
from tracestore_query.execute.plan_cache import MAX_STATEMENTS, PlanCache

START = 1_790_000_000_000_000_000
NUMBERS = "SELECT attributes.n AS n FROM spans ORDER BY start_ns"
SLOW = (
    "SELECT count(*) AS n FROM spans AS a, spans AS b, spans AS c, range(400) AS r "
    "WHERE (a.attributes.n + b.attributes.n + c.attributes.n) % 7 = r.range"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        rows = [
            {
                "trace_id": f"{i + 1:032x}",
                "span_id": f"{i + 1:016x}",
                "start_ns": START + i,
                "attributes": {"n": i},
            }
            for i in range(20_000)
        ]
        opened.insert("spans", rows)
        opened.flush()
        yield opened


@pytest.fixture
def query(store: Store) -> Iterator[Query]:
    made = Query(store)
    yield made
    made.close()


@pytest.fixture
def binds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gives the texts that the engine is asked to bind, as it is."""
    texts: list[str] = []
    bind = Execution.bind

    def noted(self: Execution, text: str, values: dict[str, Any]) -> Any:
        texts.append(text)
        return bind(self, text, values)

    monkeypatch.setattr(Execution, "bind", noted)
    return texts


def total(query: Query) -> int:
    return sum(row["n"] for row in query.sql(NUMBERS).rows())


def test_a_text_is_bound_once_for_queries_after_each_other(query: Query, binds: list[str]) -> None:
    assert [total(query) for _ in range(5)] == [199_990_000] * 5
    assert len(binds) == 1


def test_each_value_of_a_parameter_is_bound_for_itself(query: Query, binds: list[str]) -> None:
    text = "SELECT count(*) AS n FROM spans WHERE attributes.n < ?"
    found = [query.sql(text, [bound]).rows()[0]["n"] for bound in (10, 20, 10, 20, 30, 30)]
    assert found == [10, 20, 10, 20, 30, 30]
    assert len(binds) == 3


def test_answers_that_are_read_at_the_same_time_do_not_mix(query: Query) -> None:
    total(query)
    answers = [query.sql(NUMBERS) for _ in range(4)]
    readers = [iter(answer) for answer in answers]
    found: list[list[int]] = [[] for _ in readers]
    for _ in range(3):
        for numbers, reader in zip(found, readers, strict=True):
            batch = next(reader, None)
            if batch is not None:
                numbers.extend(batch.column(0).to_pylist())
    assert found == [list(range(20_000))] * 4
    for answer in answers:
        answer.close()


def test_an_answer_that_was_not_read_to_its_end_leaves_nothing_behind(
    query: Query, binds: list[str]
) -> None:
    for _ in range(3):
        with query.sql(NUMBERS) as answer:
            next(iter(answer.batches))
        query.sql(NUMBERS, max_rows=5).rows()
    assert total(query) == 199_990_000
    assert len(binds) == 7


def test_a_late_cancel_of_a_closed_answer_stops_no_other_query(query: Query) -> None:
    first = query.sql(NUMBERS)
    first.rows()
    second = query.sql(NUMBERS)
    reader = iter(second)
    next(reader)
    first.cancel()
    assert sum(len(batch) for batch in reader) > 0
    assert total(query) == 199_990_000


def test_a_query_that_was_stopped_can_be_asked_again(query: Query) -> None:
    with pytest.raises(QueryTimeoutError):
        query.sql(SLOW, timeout_s=0.05).rows()
    answer = query.sql(NUMBERS)
    answer.cancel()
    with pytest.raises(QueryFailedError, match="cancelled"):
        answer.rows()
    assert total(query) == 199_990_000


def test_what_is_to_end_is_interrupted_until_it_has_ended() -> None:
    called: list[int] = []
    third = threading.Event()

    def stop() -> float | None:
        called.append(len(called))
        if len(called) < 3:
            return 0.0
        third.set()
        return None

    watchdog = Watchdog()
    try:
        watchdog.call_at(0.0, stop)
        assert third.wait(HANG_S)
    finally:
        watchdog.close()
    assert called == [0, 1, 2]


def is_open(cursor: duckdb.DuckDBPyConnection) -> bool:
    try:
        cursor.execute("SELECT 1")
    except duckdb.ConnectionException:
        return False
    return True


def test_statements_are_bounded_and_end_with_their_engine(
    query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[Statement] = []
    keep = PlanCache.keep_statement

    def noted(self: PlanCache, key: Any, planned: Any, statement: Statement) -> bool:
        statements.append(statement)
        return keep(self, key, planned, statement)

    monkeypatch.setattr(PlanCache, "keep_statement", noted)
    answers = [query.sql(NUMBERS) for _ in range(MAX_STATEMENTS + 3)]
    for answer in answers:
        answer.rows()
    assert len(statements) == MAX_STATEMENTS + 3
    assert sum(is_open(statement.cursor) for statement in statements) == MAX_STATEMENTS
    query.close()
    gc.collect()
    assert not any(is_open(statement.cursor) for statement in statements)


def test_new_segments_are_seen(store: Store, query: Query, binds: list[str]) -> None:
    assert total(query) == 199_990_000
    more = {
        "trace_id": "a" * 32,
        "span_id": "a" * 16,
        "start_ns": START + 9**9,
        "attributes": {"n": 10},
    }
    store.insert("spans", [more])
    store.flush()
    assert [total(query), total(query)] == [199_990_010] * 2
    assert len(binds) == 2
