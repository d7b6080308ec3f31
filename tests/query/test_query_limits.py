"""Running queries: caps, cancel, timeout, memory, many clients, streaming."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data import stores
from sql import sql_rows
from tracestore import Store
from tracestore_query import (
    Query,
    QueryFailedError,
    QueryMemoryError,
    QueryParameterError,
    QueryTimeoutError,
)
from tracestore_query.execute import streaming

ENDLESS = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"


@pytest.fixture
def small(many: Store) -> Iterator[Query]:
    """Gives a query layer with little memory over the shared store."""
    query = Query(many, memory_limit="64MB", threads=2)
    yield query
    query.close()


def test_rows_are_capped_with_a_warning(many: Store) -> None:
    result = many.sql("SELECT span_id FROM spans", max_rows=7)
    assert len(result.rows()) == 7
    assert result.warnings == [
        "the answer was cut after 7 rows; add a LIMIT, or page with a cursor"
    ]
    exact = many.sql("SELECT span_id FROM spans LIMIT 7", max_rows=7)
    assert len(exact.rows()) == 7
    assert exact.warnings == []


def test_bytes_are_capped_with_a_warning(many: Store) -> None:
    result = many.sql("SELECT attributes FROM spans", max_bytes=5_000)
    table = result.arrow()
    assert 0 < table.num_rows < 480
    assert table.nbytes <= 5_000
    assert result.warnings == ["the answer was cut after 5000 bytes; select fewer columns or rows"]


def test_a_query_stops_at_its_timeout(many: Store) -> None:
    with pytest.raises(QueryTimeoutError, match=r"ran longer than 0\.2 s; add a time range"):
        many.sql(ENDLESS, timeout_s=0.2).rows()
    with pytest.raises(QueryTimeoutError):
        many.sql(f"EXPLAIN ANALYZE {ENDLESS}", timeout_s=0.2).rows()
    assert many.sql("SELECT 1 AS a").rows() == [{"a": 1}]


def test_a_query_is_cancelled_from_another_thread(many: Store) -> None:
    # Rows of the first batch come soon; the whole would take years.
    result = many.sql("SELECT a.range FROM range(10000000) a, range(10000000) b", timeout_s=None)
    batches = iter(result)
    next(batches)
    threading.Thread(target=result.cancel).start()
    with pytest.raises(QueryFailedError, match="it was cancelled"):
        for _ in batches:
            pass
    result.close()
    result.close()


def test_a_cancelled_query_gives_no_more_batches(many: Store) -> None:
    result = many.sql("SELECT span_id FROM spans")
    result.cancel()
    with pytest.raises(QueryFailedError, match="it was cancelled"):
        result.rows()


def test_too_much_memory_is_a_typed_error(small: Query) -> None:
    sql = "SELECT list(a.range) FROM range(100000000) a"
    with pytest.raises(QueryMemoryError, match="needs more memory, or more room on disk"):
        small.sql(sql).rows()
    assert small.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 480}]


def test_groupings_at_once_that_want_all_memory_are_answered_or_refused(small: Query) -> None:
    grouped = (
        "SELECT sum(n) AS n FROM (SELECT md5((range + {})::VARCHAR) AS k, count(*) AS n "
        "FROM range(100000) GROUP BY k)"
    )
    ends: list[int | str] = []

    def ask(number: int) -> None:
        try:
            ends.append(int(small.sql(grouped.format(number), timeout_s=None).rows()[0]["n"]))
        except QueryMemoryError as error:
            ends.append(str(error).partition("; ")[2])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == len(threads)
    assert set(ends) <= {100_000, "add a time range, a LIMIT, or fewer columns"}
    assert small.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 480}]


def test_an_answer_larger_than_memory_streams(small: Query) -> None:
    # 400 MB of answer through 64 MB of memory.
    rows = 0
    with small.sql("SELECT repeat('x', 1000) AS t FROM range(400000)", timeout_s=None) as result:
        for batch in result:
            assert batch.num_rows <= 16_384
            rows += batch.num_rows
    assert rows == 400_000


def test_a_reader_that_stops_early_lets_everything_go(many: Store) -> None:
    with many.sql("SELECT * FROM spans") as result:
        batches = iter(result)
        next(batches)
        assert many._core.pins
    assert not many._core.pins


@pytest.mark.parametrize("cursor", [None, ""])
def test_an_answer_that_nobody_reads_lets_everything_go(many: Store, cursor: str | None) -> None:
    gc.disable()
    try:
        result = many.sql("SELECT * FROM spans ORDER BY span_id LIMIT 9", cursor=cursor)
        assert many._core.pins
        del result
        assert not many._core.pins
    finally:
        gc.enable()


def test_an_error_lets_everything_go(many: Store) -> None:
    for sql in (
        "SELECT nosuch FROM spans",
        "SELECT sum(name) FROM spans",
        "SELECT name::INT FROM spans",
    ):
        with pytest.raises(ValueError, match="cannot run query"):
            many.sql(sql).rows()
    assert not many._core.pins


def test_clients_do_not_starve_each_other(many: Store) -> None:
    stop = threading.Event()

    def heavy() -> None:
        while not stop.is_set():
            with pytest.raises(QueryTimeoutError):
                many.sql(ENDLESS, timeout_s=0.5).rows()

    def light(number: int) -> int:
        found = 0
        for _ in range(5):
            sql = "SELECT count(*) AS n FROM spans WHERE attributes.tokens > $low"
            found += many.sql(sql, {"low": number}, timeout_s=30).rows()[0]["n"]
        return found

    thread = threading.Thread(target=heavy)
    thread.start()
    try:
        with ThreadPoolExecutor(10) as pool:
            found = list(pool.map(light, range(10)))
    finally:
        stop.set()
        thread.join()
    tokens = [i * 3 % 97 for i in range(480) if i != 333]
    assert found == [5 * sum(token > low for token in tokens) for low in range(10)]


def test_a_slow_query_over_all_times_gets_a_hint(
    many: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "SLOW_S", 0.0)
    result = many.sql("SELECT count(*) FROM spans")
    result.rows()
    [warning] = result.warnings
    assert warning.startswith("the query reads spans at all times; it is faster with a time range")
    bounded = many.sql("SELECT count(*) FROM spans WHERE start_time > '2020-01-01'")
    bounded.rows()
    assert bounded.warnings == []


@pytest.mark.parametrize(
    ("sql", "params", "want"),
    [
        ("SELECT ? AS a, ? AS b", [1, "x"], {"a": 1, "b": "x"}),
        ("SELECT $2 AS a, $1 AS b", [1, "x"], {"a": "x", "b": 1}),
        ("SELECT $b AS a, $a AS b, $b AS c", {"a": 1, "b": None}, {"a": None, "b": 1, "c": None}),
        ("SELECT count(*) AS n FROM spans WHERE attributes.status = ?", [200], {"n": 131}),
        ("SELECT count(*) AS n FROM spans WHERE attributes.status = ?", ["err"], {"n": 44}),
        ("SELECT count(*) AS n FROM spans WHERE attributes.flag = $f", {"f": True}, {"n": 120}),
        (
            "SELECT count(*) AS n FROM spans WHERE name = ? AND start_time > ?",
            ["op-1", "2020-01-01"],
            {"n": 69},
        ),
    ],
)
def test_parameters(sql: str, params: object, want: dict[str, object], many: Store) -> None:
    assert many.sql(sql, params).rows() == [want]


@pytest.mark.parametrize(
    ("sql", "params", "text"),
    [
        ("SELECT ?", [], "number 1"),
        ("SELECT ?", None, "number 1"),
        ("SELECT $a", {"b": 1}, r"\$a"),
        ("SELECT ?", [1, 2], "has 1 parameters, but 2"),
        ("SELECT 1", [1], "has 0 parameters, but 1"),
    ],
)
def test_a_parameter_without_value_is_a_typed_error(
    sql: str, params: object, text: str, many: Store
) -> None:
    with pytest.raises(QueryParameterError, match=text):
        many.sql(sql, params)


def test_a_store_opened_for_reading_answers(tmp_path: Path) -> None:
    rows = {"spans": sql_rows.spans()[:50]}
    with stores.build(tmp_path / "store", "one segment", rows) as store:
        store.sql("SELECT 1").rows()
    import tracestore

    with tracestore.open(tmp_path / "store", "r") as reader:
        assert reader.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 50}]
