"""Looking around: facets, counts over time, differences, waterfalls and live arrival answer what is there."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tracestore
from tracestore.embedded import Store
from tracestore_query import QuerySyntaxError
from tracestore_query.explore.differences import differences
from tracestore_query.explore.facets import choose_paths, facet, row_count
from tracestore_query.explore.live_tail import LiveTail
from tracestore_query.explore.selection import RowQuery, Selection
from tracestore_query.explore.timeline import heatmap, timeline
from tracestore_query.explore.waterfall import tree_order, waterfall

TRACE = "0" * 31 + "1"
START = 1_790_000_000_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with tracestore.open(tmp_path / "store") as opened:
        opened.insert(
            "spans",
            [
                {
                    "trace_id": TRACE,
                    "span_id": f"{i + 1:016x}",
                    **({"parent_span_id": f"{i // 3:016x}"} if i >= 3 else {}),
                    "name": f"n{i % 2}",
                    "type": "llm" if i % 2 else "tool",
                    "start_ns": START + i * 1000,
                    "duration_ns": 1000 if i < 20 else 1_000_000,
                    "status_code": "ERROR" if i == 7 else "OK",
                    "attributes": {
                        "mixed": i if i % 3 else str(i),
                        "model": "slow" if i >= 20 else "fast",
                    },
                }
                for i in range(30)
            ],
        )
        yield opened


@pytest.fixture
def run(store: Store) -> RowQuery:
    return functools.partial(store.query.sql, projects=None)


def test_a_facet_tells_types_share_and_values(run: RowQuery) -> None:
    total = row_count(run, Selection())
    found = facet(run, Selection(), "attributes.mixed", total)
    assert (found["rows"], found["total"], set(found["types"])) == (30, 30, {"int64", "string"})
    names = facet(run, Selection(where="type = 'llm'"), "name", 15)
    assert names["values"] == [{"value": "n1", "type": "VARCHAR", "rows": 15}]


def test_a_facet_of_many_numbers_is_ranges_that_hold_every_row(run: RowQuery) -> None:
    found = facet(run, Selection(), "start_ns - 1790000000000000000", 30)
    assert sum(each["rows"] for each in found["spread"]) == 30


def test_paths_that_tell_something_are_chosen(store: Store) -> None:
    chosen = choose_paths(store, "spans", None)
    assert {"type", "name", "attributes.model", "attributes.mixed"} <= set(chosen)


@pytest.mark.parametrize(
    "where", ["1) OR (1", "true GROUP BY 1", "true; SELECT 1", "true LIMIT 1", "(true"]
)
def test_a_filter_is_one_condition(run: RowQuery, where: str) -> None:
    with pytest.raises(QuerySyntaxError):
        row_count(run, Selection(where=where))


def test_a_comment_at_the_end_of_a_filter_hides_nothing(run: RowQuery) -> None:
    assert row_count(run, Selection(where="type = 'llm' -- the calls", to_ns=START + 1)) == 0


def test_a_timeline_counts_every_row_once(run: RowQuery) -> None:
    drawn = timeline(run, Selection(), 7)
    assert (sum(drawn["rows"]), sum(drawn["errors"]), drawn["total"]) == (30, 1, 30)
    cells = heatmap(run, Selection(), 7)["cells"]
    assert sum(cell[2] for cell in cells) == 30
    assert timeline(run, Selection(where="false"), 7)["rows"] == []


def test_differences_name_the_path_that_tells_two_sides_apart(run: RowQuery) -> None:
    found = differences(run, Selection(), "duration_ns > 5000", ["name", "attributes.model"])
    assert (found["inside"], found["outside"]) == (10, 20)
    assert found["differences"][0]["path"] == "attributes.model"
    assert found["differences"][0]["score"] == 1.0


def test_a_waterfall_is_in_the_order_of_its_tree(run: RowQuery) -> None:
    table = waterfall(run, TRACE)
    assert table is not None
    depth, parent = table["depth"].to_pylist(), table["parent"].to_pylist()
    assert table.num_rows == 30
    for row in range(30):
        if parent[row] >= 0:
            assert parent[row] < row
            assert depth[row] == depth[parent[row]] + 1
    assert table["start"][0].as_py() == 0.0
    assert waterfall(run, "f" * 32) is None


def test_parents_in_a_circle_lose_no_span() -> None:
    order, depth = tree_order(np.array([2, 0, 1, -1, 3]))
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4]
    assert depth.min() == 0


def test_live_arrival_sends_each_new_span_once(store: Store, run: RowQuery) -> None:
    watching = LiveTail(run, "type = 'llm'", {"model": "attributes.model"})
    assert watching.look() == ([], 0)
    store.insert(
        "spans",
        [
            {"name": "new", "type": "llm", "attributes": {"model": "x"}},
            {"name": "other", "type": "tool"},
        ],
    )
    spans, left_out = watching.look()
    assert [(each["name"], each["model"]) for each in spans] == [("new", "x")]
    assert left_out == 0
    assert watching.look() == ([], 0)
