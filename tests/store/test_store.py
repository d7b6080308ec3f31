"""What is written is there: in memory, in segments, after a reopen."""

from __future__ import annotations

import gzip
import threading
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard

from data import processes
from data.stores import log, span
from store.kit import (
    FakeClock,
    expected_ids,
    open_store,
    otlp_logs,
    otlp_many,
    otlp_traces,
    read_rows,
    span_ids,
)
from tracestore.errors import (
    LimitExceededError,
    PayloadError,
    StoreClosedError,
    UnsupportedPayloadError,
)
from tracestore.store.maintenance import Maintenance


def test_rows_are_the_same_in_memory_in_segments_and_after_a_reopen(tmp_path: Path) -> None:
    rows = [
        span(number, **({"metadata": {"rare": number}} if number % 50 == 0 else {}))
        for number in range(200)
    ]
    with open_store(tmp_path) as store:
        assert store.insert("spans", rows).rows == 200
        in_memory = read_rows(store)
        assert len(in_memory) == 200
        assert store.flush() == 1
        assert read_rows(store) == in_memory
    with open_store(tmp_path) as store:
        assert read_rows(store) == in_memory


def test_rows_not_flushed_are_replayed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.ingest_otlp(otlp_traces(span(number) for number in range(10)), "traces")
        store.insert("logs", [log(1), log(2)])
        spans, logs = read_rows(store), read_rows(store, "logs")
    for _ in range(2):
        with open_store(tmp_path) as store:
            assert read_rows(store) == spans
            assert read_rows(store, "logs") == logs


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        (None, bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.compress),
    ],
)
def test_bodies_are_decompressed_and_replayed_as_received(
    tmp_path: Path, encoding: str | None, compress: Any
) -> None:
    body = otlp_traces(span(number) for number in range(5))
    with open_store(tmp_path) as store:
        store.ingest_otlp(compress(body), "traces", content_encoding=encoding)
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids(range(5))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_bomb_stops_early(tmp_path: Path, encoding: str) -> None:
    zeros = bytes(50_000_000)
    compress: Any = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}[
        encoding
    ]
    with open_store(tmp_path, max_payload_bytes=1_000_000) as store:
        with pytest.raises(LimitExceededError, match="more than 1000000 bytes"):
            store.ingest_otlp(compress(zeros), "traces", content_encoding=encoding)
        assert store.stats().wal_bytes == 32


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_broken_compression_is_a_payload_error(tmp_path: Path, encoding: str) -> None:
    compress: Any = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}[
        encoding
    ]
    body = compress(otlp_traces(span(number) for number in range(50)))
    with open_store(tmp_path) as store:
        for broken in (body[:-3], body[: len(body) // 2], b"\x00\x01garbage"):
            with pytest.raises(PayloadError):
                store.ingest_otlp(broken, "traces", content_encoding=encoding)
        assert read_rows(store) == []


def test_a_broken_payload_leaves_nothing_behind(tmp_path: Path) -> None:
    body = otlp_traces(span(number) for number in range(50))
    with open_store(tmp_path) as store:
        with pytest.raises(PayloadError):
            store.ingest_otlp(body[:-1], "traces")
        assert read_rows(store) == []
        assert store.stats().wal_bytes == 32
        assert store.ingest_otlp(body, "traces").rows == 50


def test_what_is_not_read_is_refused_by_name(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(UnsupportedPayloadError, match="signal; got 'metrics'"):
            store.ingest_otlp(b"", "metrics")
        with pytest.raises(UnsupportedPayloadError, match="content type; got 'text/plain'"):
            store.ingest_otlp(b"", "traces", "text/plain")
        with pytest.raises(UnsupportedPayloadError, match="content encoding; got 'br'"):
            store.ingest_otlp(b"", "traces", content_encoding="br")
        with pytest.raises(UnsupportedPayloadError, match="table 'metrics'"):
            store.insert("metrics", [{}])
        with pytest.raises(LimitExceededError, match="2000 bytes"):
            store.insert("spans", [span(1)], project="x" * 2000)


def test_an_empty_request_is_a_success(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        report = store.ingest_otlp(b"", "traces")
        assert (report.rows, report.rejected_rows) == (0, 0)
        assert store.flush() == 0


def test_a_payload_of_several_projects_is_one_frame_and_several_memtables(tmp_path: Path) -> None:
    body = otlp_many({"a": [span(1), span(2)], None: [span(3)], "b": [span(4)]})
    with open_store(tmp_path) as store:
        assert store.ingest_otlp(body, "traces", project="main").rows == 4
        store.flush()
        assert sorted(store.projects()) == ["a", "b", "main"]
        store.ingest_otlp(otlp_many({"a": [span(5)], None: [span(6)]}), "traces", project="b")
    with open_store(tmp_path) as store:
        assert span_ids(store, projects=["a"]) == expected_ids([1, 2, 5])
        assert span_ids(store, projects=["b"]) == expected_ids([4, 6])
        assert span_ids(store, projects=["main"]) == expected_ids([3])
        assert span_ids(store, projects=[]) == []


def test_inserted_rows_may_name_their_project(tmp_path: Path) -> None:
    rows = [span(1, project="a"), span(2), span(3, project="b", experiment="e1")]
    with open_store(tmp_path) as store:
        report = store.insert("spans", rows, project="main", experiment="e0")
        assert (report.rows, report.rejected_rows) == (3, 0)
        found = {row["span_id"]: (row["project"], row["experiment"]) for row in read_rows(store)}
    assert found == dict(
        zip(expected_ids([1, 2, 3]), [("a", "e0"), ("main", "e0"), ("b", "e1")], strict=True)
    )


def test_missing_ids_and_times_are_filled_before_the_log(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_store(tmp_path, clock=clock) as store:
        assert store.insert("spans", [{"name": "a"}, {"name": "b", "start_ns": None}]).rows == 2
        assert store.insert("logs", [{"body": "x"}]).rows == 1
        rows = read_rows(store)
        assert {row["start_ns"] for row in rows} == {clock.now_ns()}
    with open_store(tmp_path, clock=FakeClock(5)) as store:
        assert read_rows(store) == rows


def test_insert_takes_dicts_ndjson_and_arrow(tmp_path: Path) -> None:
    ndjson = (
        b'{"trace_id":"%s","span_id":"%s","start_time":"2026-10-01T00:00:00Z","input":1}\n\n'
        % (
            b"1" * 32,
            b"2" * 16,
        )
    )
    table = pa.table(
        {
            "trace_id": ["3" * 32],
            "span_id": ["4" * 16],
            "start_time": pa.array([1_790_000_000_000_000], pa.timestamp("us", "UTC")),
            "input": [{"a": [1, 2]}],
            "output": pa.array([None], pa.string()),
        }
    )
    with open_store(tmp_path) as store:
        assert store.insert("spans", ndjson).rows == 1
        assert store.insert("spans", table).rows == 1
        assert store.insert("spans", [{"name": "x", "attributes": {"at": b"\x00\x01"}}]).rows == 1
        rows = {row["span_id"]: row for row in read_rows(store)}
    assert rows["2" * 16]["input:i64"] == 1
    assert rows["4" * 16]["input.a:i64[]"] == [1, 2]
    assert rows["4" * 16]["start_ns"] == 1_790_000_000_000_000_000


def test_a_bad_row_is_refused_alone_and_numbered_over_the_whole_insert(tmp_path: Path) -> None:
    rows = [span(number, input="x" * 3000) for number in range(3000)]
    rows[2900]["trace_id"] = "zz"
    with open_store(tmp_path) as store:
        report = store.insert("spans", rows)
        assert (report.rows, report.rejected_rows) == (2999, 1)
        assert report.rejected[0][0] == 2900


def test_requests_of_many_threads_share_syncs_and_are_all_there(tmp_path: Path) -> None:
    bodies = [otlp_traces(span(number * 5 + i) for i in range(5)) for number in range(80)]
    with open_store(tmp_path, flush_rows=120) as store:
        threads = [
            threading.Thread(
                target=lambda part: [store.ingest_otlp(b, "traces") for b in part],
                args=(bodies[i::4],),
            )
            for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert span_ids(store) == expected_ids(range(400))
        assert store.stats().segments >= 2


def test_async_durability_answers_before_the_sync(tmp_path: Path) -> None:
    with open_store(tmp_path, durability="async") as store:
        before = store.stats().wal_syncs
        for number in range(20):
            store.insert("spans", [span(number)])
        assert store.stats().wal_syncs == before
        assert span_ids(store) == expected_ids(range(20))
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids(range(20))


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreClosedError):
        store.insert("spans", [span(1)])
    with pytest.raises(StoreClosedError):
        store.snapshot()


def test_logs_are_a_table_of_their_own(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.ingest_otlp(otlp_logs([log(1), log(2), log(1)]), "logs")
        store.ingest_otlp(otlp_traces([span(1)]), "traces")
        store.flush()
        assert (
            len(read_rows(store, "logs")) == 3
        )  # records have no identity: what is sent is stored
        assert len(read_rows(store)) == 1


@pytest.mark.parametrize("limit", ["bytes", "rows", "age"])
def test_a_flush_is_due_by_bytes_rows_and_age(tmp_path: Path, limit: str) -> None:
    clock = FakeClock()
    settings = {
        "bytes": {"flush_bytes": 1},
        "rows": {"flush_rows": 10},
        "age": {"flush_seconds": 60},
    }
    with open_store(tmp_path, clock=clock, **settings[limit]) as store:
        store.insert("spans", [span(number) for number in range(9)])
        if limit == "rows":
            assert store.stats().segments == 0
        clock.advance(61)
        store.insert("spans", [span(10)])
        assert store.stats().segments >= 1


def test_background_work_that_is_due_ends_without_a_word_when_the_store_closes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    with open_store(tmp_path, clock=clock) as store:
        store.insert("spans", [span(1)])
        clock.advance(3600)
    # As it is between the mark that the store is closed and the end of the threads.
    maintenance = Maintenance(store._core)
    maintenance.start()
    flushing = maintenance._threads[0]
    flushing.join(timeout=processes.HANG_S)
    ended = not flushing.is_alive()
    maintenance.stop()
    assert ended
    assert caplog.records == []


def test_the_background_flushes_what_is_due(tmp_path: Path) -> None:
    with open_store(tmp_path, background=True, flush_rows=50) as store:
        for number in range(40):
            store.insert("spans", [span(number * 10 + i) for i in range(10)])
        core = store._core
        with core.lock:
            assert core.changed.wait_for(
                lambda: core.index.totals.segments and not core.frozen, timeout=processes.HANG_S
            )
        assert span_ids(store) == expected_ids(range(400))
