"""A question for traces by their ids opens no segment that lacks them, and finds them whatever was asked before."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlglot import exp

from data.stores import STATES, build, span
from tracestore import Store
from tracestore_query import Query
from tracestore_query.bind.binder import Binder
from tracestore_query.plan.plan import BoundQuery

TRACES = 40
SPANS = 4 * TRACES
ASKED = "SELECT span_id, attributes, scores FROM spans WHERE trace_id = $id ORDER BY start_ns"


def trace_id(number: int) -> str:
    return f"{number + 1:032x}"


def steps(store: Store, sql: str) -> dict[str, str]:
    return {row["step"]: row["detail"] for row in store.sql(f"EXPLAIN {sql}").rows()}


def rows_of(number: int) -> list[dict[str, object]]:
    return [span(i) for i in range(4 * number, 4 * number + 4)]


@pytest.mark.parametrize("state", STATES)
def test_each_trace_is_found_by_one_text_with_other_ids(tmp_path: Path, state: str) -> None:
    spans = [span(i) for i in range(SPANS)]
    with build(tmp_path / "store", state, {"spans": spans}) as store:
        every_row = Query(store, shortcuts=False)
        for number in (0, TRACES - 1, 7, 7, TRACES, 0):
            want = [row["span_id"] for row in rows_of(number)] if number < TRACES else []
            for query in (store.query, every_row):
                found = query.sql(ASKED, {"id": trace_id(number)}).rows()
                assert [row["span_id"] for row in found] == want
        two = (
            f"SELECT count(*) AS n FROM spans WHERE trace_id IN ('{trace_id(3)}', '{trace_id(30)}')"
        )
        assert store.sql(two).rows() == [{"n": 8}]
        every_row.close()


def test_segments_without_the_trace_are_left_out(tmp_path: Path) -> None:
    spans = [span(i) for i in range(SPANS)]
    with build(tmp_path / "store", "many segments", {"spans": spans}) as store:
        segments = store.stats().segments
        shown = steps(store, f"SELECT * FROM spans WHERE trace_id = '{trace_id(5)}'")
        left_out = int(shown["traces"].split()[0])
        assert segments - 4 <= left_out <= segments - 1
        assert shown["segments"].startswith(f"{segments - left_out} read")
        assert "traces" not in steps(store, "SELECT * FROM spans WHERE trace_id LIKE '0%'")
        either = f"SELECT * FROM spans WHERE trace_id = '{trace_id(5)}' OR name = 'op-1'"
        assert "traces" not in steps(store, either)


def test_patches_of_another_trace_are_seen_by_the_same_text(tmp_path: Path) -> None:
    spans = [span(i) for i in range(SPANS)]
    with build(tmp_path / "store", "one segment", {"spans": spans}) as store:
        for number in (1, 2):
            row = spans[4 * number]
            ids = {"trace_id": row["trace_id"], "span_id": row["span_id"]}
            store.patch({**ids, "scores": {"s": number}})
        for number in (1, 2, 3, 1):
            found = store.sql(ASKED, {"id": trace_id(number)}).rows()
            assert found[0]["scores"] == ({"s": number} if number < 3 else None)


def test_a_text_with_another_id_is_not_bound_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound: list[exp.Expr] = []
    bind = Binder.bind

    def noted(binder: Binder, tree: exp.Expr) -> BoundQuery:
        bound.append(tree)
        return bind(binder, tree)

    monkeypatch.setattr(Binder, "bind", noted)
    spans = [span(i) for i in range(SPANS)]
    with build(tmp_path / "store", "many segments", {"spans": spans}) as store:
        for number in (0, TRACES - 1, 7, TRACES, 0, 0):
            want = [row["span_id"] for row in rows_of(number)] if number < TRACES else []
            answer = store.sql(ASKED, {"id": trace_id(number)})
            assert [row["span_id"] for row in answer.rows()] == want
            assert answer.stats.segments_read < store.stats().segments
        assert store.sql(ASKED, {"id": "no id"}).rows() == []
    assert len(bound) == 1


def test_rows_in_memory_are_found_beside_segments(tmp_path: Path) -> None:
    with build(
        tmp_path / "store", "many segments", {"spans": [span(i) for i in range(80)]}
    ) as store:
        for row in rows_of(30):
            store.insert("spans", [row])
        for number in (30, 2, 30):
            found = store.sql(ASKED, {"id": trace_id(number)}).rows()
            assert [row["span_id"] for row in found] == [row["span_id"] for row in rows_of(number)]
