"""A start and a duration that fit into 64 bits may have an end that does not: no query fails for one such span."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

import tracestore
from data.stores import START_NS, span
from tracestore import Store
from tracestore_query.tables.views import VIEWS

MOST = 2**63 - 1
STARTS = (-MOST - 1, -MOST, -1, 0, 999, START_NS, MOST - 10**15, MOST - 1, MOST)
DURATIONS = (-MOST, -(10**12), -1, 0, 1, 999, 10**15, MOST - 1, MOST, None)


@pytest.fixture(scope="module", params=["memory", "segments"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("times")
    with tracestore.open(folder / "store", background=False) as opened:
        extremes = itertools.product(STARTS, DURATIONS)
        for number, (start_ns, duration_ns) in enumerate(extremes):
            trace_id = f"{number // 3 + 1:032x}"
            told = {"trace_id": trace_id, "start_ns": start_ns, "duration_ns": duration_ns}
            tokens = {"metrics": {"prompt_tokens": number}}
            root = span(2 * number, **told, **tokens)
            child = span(2 * number + 1, **told, parent_span_id=root["span_id"])
            assert opened.insert("spans", [root, child]).rejected == []
        if request.param == "segments":
            opened.flush()
        yield opened


@pytest.mark.parametrize("table", ["spans", *VIEWS])
def test_every_table_is_read(store: Store, table: str) -> None:
    store.sql(f"SELECT * FROM {table}").rows()


@pytest.mark.parametrize("table", ["spans", "traces"])
def test_ends_and_durations_are_found_and_summed(store: Store, table: str) -> None:
    store.sql(f"SELECT max(end_time), min(start_time), sum(duration) FROM {table}").rows()
    store.sql(f"SELECT trace_id FROM {table} ORDER BY end_time DESC LIMIT 3").rows()


def test_a_time_beyond_64_bits_is_the_longest_that_there_is(store: Store) -> None:
    sql = "SELECT max(duration_ns) AS most, min(start_ns) AS first FROM traces"
    [row] = store.sql(sql).rows()
    assert row == {"most": MOST, "first": -MOST - 1}


def test_an_end_is_the_microsecond_of_start_and_duration(store: Store) -> None:
    sql = "SELECT start_ns, duration_ns, epoch_us(end_time) AS us FROM spans WHERE start_ns >= 0"
    rows = [row for row in store.sql(sql).rows() if (row["duration_ns"] or -1) >= 0]
    assert rows
    for row in rows:
        assert row["us"] == (row["start_ns"] + row["duration_ns"]) // 1000
