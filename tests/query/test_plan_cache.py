"""A query asked again gives what it would give if it were asked for the first time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import START_NS, span
from tracestore import Store
from tracestore_query import Query, QueryParameterError
from tracestore_query.execute.plan_cache import MAX_PLANS, PlanCache

COUNT = "SELECT count(*) AS n, count(attributes.word) AS words FROM spans"


def worded(number: int, **more: Any) -> dict[str, Any]:
    attributes = {"n": number, "word": f"w{number % 5}"}
    return span(
        number, **{"trace_id": f"{number + 1:032x}", "name": "op", "attributes": attributes, **more}
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        opened.insert("spans", [worded(i) for i in range(100)])
        opened.flush()
        yield opened


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Gives the plans that are kept, as they are."""
    made: list[object] = []
    keep = PlanCache.keep

    def noted(self: PlanCache, key: Any, planned: Any, snapshot: Any) -> None:
        made.append(planned)
        keep(self, key, planned, snapshot)

    monkeypatch.setattr(PlanCache, "keep", noted)
    return made


def test_the_plan_of_a_repeated_text_is_used_again(store: Store, bound: list[object]) -> None:
    answers = [store.sql(COUNT).rows() for _ in range(3)]
    assert answers == [[{"n": 100, "words": 100}]] * 3
    assert len(bound) == 1


def test_new_rows_segments_and_types_are_seen(store: Store) -> None:
    sql = "SELECT sum(attributes.word + 0) AS s, count(*) AS n FROM spans"
    assert store.sql(sql).rows() == [{"s": None, "n": 100}]
    store.insert("spans", [worded(100, attributes={"word": 7})])
    assert store.sql(sql).rows() == [{"s": 7, "n": 101}]
    assert store.sql(sql).rows() == [{"s": 7, "n": 101}]
    store.flush()
    assert store.sql(sql).rows() == [{"s": 7, "n": 101}]
    store.compact(full=True)
    for _ in range(2):
        assert store.sql(sql).rows() == [{"s": 7, "n": 101}]


def test_a_segment_outside_of_the_time_range_counts_as_pruned(store: Store) -> None:
    sql = f"{COUNT} WHERE start_ns < {START_NS + 10_000_000}"
    assert store.sql(sql).stats.segments_pruned == 0
    store.insert("spans", [worded(10**6)])
    store.flush()
    assert store.sql(sql).stats.segments_pruned == 1


def test_projects_and_parameters_have_plans_of_their_own(store: Store) -> None:
    sql = "SELECT count(*) AS n FROM spans WHERE attributes.n >= $low"
    for low, rows in ((90, 10), (90.5, 9), ("90", 0), (90, 10), (True, 0)):
        assert store.sql(sql, {"low": low}).rows() == [{"n": rows}], low
    query = Query(store)
    try:
        for projects, rows in ((None, 100), (["other"], 0), (["default"], 100), (["other"], 0)):
            assert query.sql(COUNT, projects=projects).rows()[0]["n"] == rows
    finally:
        query.close()


def test_other_values_of_a_type_share_a_plan(store: Store, bound: list[object]) -> None:
    sql = "SELECT attributes.n AS n FROM spans WHERE trace_id = $id AND attributes.n >= $low"
    for number in range(5):
        found = store.sql(sql, {"id": f"{number + 1:032x}", "low": 2}).rows()
        assert found == ([{"n": number}] if number >= 2 else [])
    assert len(bound) == 1
    places = "SELECT attributes.n AS n FROM spans WHERE attributes.n < ? AND attributes.word = ?"
    for below, word in ((3, "w1"), (4, "w2"), (3, "w1")):
        assert store.sql(places, [below, word]).rows() == [{"n": int(word[1:])}]
    assert len(bound) == 2
    with pytest.raises(QueryParameterError):
        store.sql(sql, {"id": "1"})
    with pytest.raises(QueryParameterError):
        store.sql("SELECT ? AS a", [1, 2])


def test_a_time_from_a_parameter_has_a_plan_of_its_own(store: Store) -> None:
    store.insert("spans", [worded(10**6)])
    store.flush()
    for low, rows, read in ((START_NS, 101, 2), (START_NS + 10**12, 1, 1), (START_NS, 101, 2)):
        result = store.sql(f"{COUNT} WHERE start_ns >= $low", {"low": low})
        assert result.rows()[0]["n"] == rows
        assert result.stats.segments_read == read
    at = "SELECT count(*) AS n FROM spans WHERE start_time >= $at"
    for day, rows in (("2026-01-01", 101), ("2026-12-01", 0), ("2026-01-01", 101)):
        assert store.sql(at, {"at": day}).rows() == [{"n": rows}]


def test_a_query_about_now_is_planned_each_time(store: Store, bound: list[Any]) -> None:
    for bounds in ("now()", "now() - INTERVAL 1 DAY", "now() - INTERVAL 1 MONTH"):
        store.sql(f"{COUNT} WHERE start_time < {bounds}").rows()
    assert [each.time_independent for each in bound] == [False] * 3
    store.sql(f"{COUNT} WHERE start_time < '2030-01-01'").rows()
    assert bound[-1].time_independent


def test_whole_objects_and_rows_of_tails_come_from_a_kept_plan(store: Store) -> None:
    store.insert("spans", [worded(200, attributes={"rare": {"needle": 5}})])
    store.flush()
    store.compact(full=True)
    whole = "SELECT attributes FROM spans WHERE attributes.rare.needle > 1"
    count = "SELECT count(*) AS n FROM spans WHERE attributes.rare.needle > 1"
    for _ in range(3):
        assert store.sql(whole).rows() == [{"attributes": {"rare": {"needle": 5}}}]
        assert store.sql(count).rows() == [{"n": 1}]


def test_many_threads_share_one_plan(store: Store, bound: list[object]) -> None:
    sql = "SELECT attributes.word AS w, count(*) AS n FROM spans GROUP BY 1 ORDER BY 1"
    first = store.sql(sql).rows()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: store.sql(sql).rows(), range(64)))
    assert answers == [first] * 64
    assert len(bound) == 1


def test_the_plans_that_are_kept_are_bounded(store: Store) -> None:
    query = Query(store)
    try:
        for number in range(MAX_PLANS + 5):
            query.sql(f"SELECT {number} AS n").rows()
        assert len(query._planner._cache) == MAX_PLANS
    finally:
        query.close()
