"""A span that is sent again is stored once, wherever its first copy is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from data.stores import span
from store.kit import FakeClock, expected_ids, open_store, otlp_many, otlp_traces, span_ids
from tracestore.store.memory.recent_keys import RecentKeys
from tracestore.store.memory.span_keys import span_keys
from tracestore.variant import KeySet, make_valid

KEY = st.integers(0, 40) | st.integers(0, 2**64 - 1)


def test_copies_in_one_request_in_memory_in_a_segment_and_after_a_reopen(tmp_path: Path) -> None:
    body = otlp_traces([span(1), span(2), span(1)])
    with open_store(tmp_path) as store:
        report = store.ingest_otlp(body, "traces")
        assert (report.rows, report.duplicates) == (2, 1)
        again = store.ingest_otlp(body, "traces")
        assert (again.rows, again.duplicates) == (0, 3)
        assert span_ids(store) == expected_ids([1, 2])
        store.flush()
        assert store.ingest_otlp(body, "traces").duplicates == 3
    with open_store(tmp_path) as store:
        mixed = store.ingest_otlp(otlp_traces([span(2), span(3)]), "traces")
        assert (mixed.rows, mixed.duplicates) == (1, 1)
        assert span_ids(store) == expected_ids([1, 2, 3])
    with open_store(tmp_path) as store:  # the frame of the mixed request is replayed
        assert span_ids(store) == expected_ids([1, 2, 3])


def test_a_span_that_comes_again_after_hours_is_stored_once(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_store(tmp_path, clock=clock) as store:
        store.insert("spans", [span(1)])
        store.flush()
    for seconds in (3599, 2, 86_400):
        clock.advance(seconds)
        with open_store(tmp_path, clock=clock) as store:
            assert store.insert("spans", [span(1)]).duplicates == 1
            assert span_ids(store) == expected_ids([1])


def test_a_client_and_a_server_span_that_share_their_ids_are_two(tmp_path: Path) -> None:
    sides = [{**span(1), "kind": kind, "name": kind} for kind in ("CLIENT", "SERVER", None)]
    with open_store(tmp_path) as store:
        assert store.insert("spans", sides).rows == 3
        assert store.insert("spans", sides).duplicates == 3
        store.flush()
        assert store.insert("spans", sides).duplicates == 3
        assert store.insert("spans", [{**span(1), "kind": "PRODUCER"}]).rows == 1
    with open_store(tmp_path) as store:
        assert store.insert("spans", sides).duplicates == 3
        store.flush()
        store.compact(full=True)
        assert span_ids(store) == expected_ids([1, 1, 1, 1])
        store.delete(where=[("kind", "=", "CLIENT")])
        assert store.insert("spans", sides).rows == 1
        assert span_ids(store) == expected_ids([1, 1, 1, 1])


def test_a_span_belongs_to_its_project(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.ingest_otlp(otlp_many({"a": [span(1)], "b": [span(1)]}), "traces").rows == 2
        assert store.ingest_otlp(otlp_many({"c": [span(1)], "b": [span(1)]}), "traces").rows == 1
        assert span_ids(store) == expected_ids([1, 1, 1])


def test_resent_spans_alone_write_no_frame(tmp_path: Path) -> None:
    body = otlp_traces(span(number) for number in range(100))
    with open_store(tmp_path) as store:
        store.ingest_otlp(body, "traces")
        size = store.stats().wal_bytes
        store.ingest_otlp(body, "traces")
        assert store.stats().wal_bytes == size


@given(st.lists(st.lists(KEY, max_size=30), max_size=30))
def test_the_key_table_is_a_set(batches: list[list[int]]) -> None:
    table, other = KeySet(), KeySet()
    model: set[int] = set()
    for number, batch in enumerate(batches):
        keys = make_valid(np.array(sorted(set(batch)), np.uint64))
        keys = np.unique(keys)
        assert table.contains(keys).tolist() == [int(key) in model for key in keys]
        if number % 3 == 2:
            table.remove(keys)
            model -= {int(key) for key in keys}
        else:
            assert table.add(keys, other).tolist() == [int(key) not in model for key in keys]
            model |= {int(key) for key in keys}


@given(st.lists(st.lists(KEY, max_size=30), max_size=20))
def test_recent_keys_find_what_is_new_while_there_is_room(batches: list[list[int]]) -> None:
    recent = RecentKeys(max_keys=10_000, max_age_s=3600, now_s=0)
    seen: set[int] = set()
    for batch in batches:
        keys = np.array(batch, np.uint64)
        expected = []
        for key in make_valid(keys).tolist():
            expected.append(key not in seen)
            seen.add(key)
        assert recent.add(keys, now_s=0).tolist() == expected


def test_recent_keys_are_bounded_in_number_and_age() -> None:
    recent = RecentKeys(max_keys=1000, max_age_s=100, now_s=0)
    rng = np.random.default_rng(0)
    for _ in range(100):
        recent.add(rng.integers(0, 2**63, 100, dtype=np.uint64), now_s=0)
        assert len(recent) <= 2 * 1000 + 100
    keys = rng.integers(0, 2**63, 10, dtype=np.uint64)
    recent.add(keys, now_s=1)
    recent.add(keys[:1], now_s=101)
    assert not recent.add(keys, now_s=101).any()
    recent.add(keys[:1], now_s=202)
    assert recent.add(keys, now_s=303).any()


IDS = st.lists(
    st.text("0123456789abcdef", min_size=32, max_size=32) | st.text(max_size=40), max_size=20
)


@given(IDS, st.integers(0, 2**64 - 1))
def test_span_keys_depend_on_the_text_alone(ids: list[str], seed: int) -> None:
    column = pa.array(ids, pa.string())
    spans = pa.array([text[:16] for text in ids], pa.string())
    keys = span_keys(column, spans, seed).tolist()
    padded = pa.array(["f" * 32, *ids], pa.string())[1:]
    padded_spans = pa.array(["e" * 16, *(text[:16] for text in ids)], pa.string())[1:]
    assert span_keys(padded, padded_spans, seed).tolist() == keys
    assert len(set(keys)) == len({(text, text[:16]) for text in ids})


@given(IDS, st.integers(0, 2**64 - 1))
def test_span_keys_do_not_depend_on_the_spans_that_come_along(ids: list[str], seed: int) -> None:
    traces = pa.array(ids, pa.string())
    spans = pa.array([text[:16] for text in ids], pa.string())
    alone = [span_keys(traces[at : at + 1], spans[at : at + 1], seed)[0] for at in range(len(ids))]
    assert span_keys(traces, spans, seed).tolist() == alone
