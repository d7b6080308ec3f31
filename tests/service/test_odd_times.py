"""Odd times are kept and the sender hears of them; a record without times has the time of its arrival."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import START_NS, span
from store.kit import FakeClock, otlp_traces
from tracestore_ingest.otlp_answers import outcome_of

MILLISECONDS = START_NS // 10**6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tracestore.Store]:
    clock = FakeClock(START_NS)
    with tracestore.open(tmp_path / "store", background=False, clock=clock) as opened:
        yield opened


def records(*times: dict[str, Any]) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(times)}]}]}).encode()


def test_spans_in_milliseconds_are_stored_and_the_sender_is_told(store: tracestore.Store) -> None:
    body = otlp_traces([{**span(1), "start_ns": MILLISECONDS, "duration_ns": 5}, span(2)])
    report = store.ingest_otlp(body, "traces")
    assert (report.rows, report.early) == (2, 1)
    outcome = outcome_of(report, "traces")
    assert outcome.rejected == 0
    assert "1 rows have a time before 1973" in outcome.message
    assert "milliseconds" in outcome.message
    assert [row["start_ns"] for row in store.sql("SELECT start_ns FROM spans ORDER BY 1")] == [
        MILLISECONDS,
        span(2)["start_ns"],
    ]
    assert store.counts().odd == {("spans", "default", "early"): 1}


def test_spans_that_end_before_they_start_are_stored_and_the_sender_is_told(
    store: tracestore.Store,
) -> None:
    report = store.ingest_otlp(otlp_traces([{**span(1), "duration_ns": -10}]), "traces")
    assert report.negative == 1
    assert "1 spans end before they start" in outcome_of(report, "traces").message
    assert [row["duration_ns"] for row in store.sql("SELECT duration_ns FROM spans")] == [-10]
    assert store.counts().odd == {("spans", "default", "negative"): 1}


def test_what_is_usual_is_not_spoken_of(store: tracestore.Store) -> None:
    report = store.ingest_otlp(otlp_traces([span(1), {**span(2), "duration_ns": 0}]), "traces")
    assert outcome_of(report, "traces").message == ""
    assert store.counts().odd == {}


def test_a_log_record_without_times_has_the_time_of_its_arrival(
    store: tracestore.Store, tmp_path: Path
) -> None:
    body = records(
        {"body": {"stringValue": "none"}},
        {"body": {"stringValue": "observed"}, "observedTimeUnixNano": str(START_NS + 5)},
        {"body": {"stringValue": "own"}, "timeUnixNano": str(START_NS + 7)},
    )
    report = store.ingest_otlp(body, "logs", "application/json")
    assert report.early == 0
    sql = "SELECT body, time_ns, observed_time_ns FROM logs ORDER BY body"
    right = [
        ("none", START_NS, START_NS),
        ("observed", START_NS + 5, START_NS + 5),
        ("own", START_NS + 7, 0),
    ]
    assert [tuple(row.values()) for row in store.sql(sql)] == right
    store.close()
    later = FakeClock(START_NS + 10**15)
    with tracestore.open(tmp_path / "store", background=False, clock=later) as again:
        # Replayed from the log, it still is when it came.
        assert [tuple(row.values()) for row in again.sql(sql)] == right
