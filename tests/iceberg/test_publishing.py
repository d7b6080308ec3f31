"""Published tables have the rows and values that a query here sees, whatever became of the segments."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import DAY_NS, START_NS, log, span
from iceberg.kit import arrow_of, rows_of, table_of
from store.kit import FakeClock
from tracestore import Store
from tracestore.iceberg import expiry
from tracestore.iceberg.publishing import publish

COLUMNS = ("span_id", "name", "duration_ns", "attributes.number:i64", "attributes.model:str")
ASKED = (
    "SELECT span_id, name, duration_ns, attributes.number::BIGINT AS n, attributes.model AS m "
    "FROM spans WHERE project = 'default'"
)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with tracestore.open(tmp_path, background=False, durability="async") as opened:
        yield opened


def insert(store: Store, numbers: range, **more: Any) -> None:
    store.insert("spans", [span(number, **more) for number in numbers])


def expected(store: Store) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in store.sql(ASKED).rows()), key=repr)


def agrees(store: Store) -> int:
    """Asserts that the published table has what a query sees, and returns how many rows there are."""
    read = rows_of(arrow_of(store), *COLUMNS)
    assert read == expected(store)
    return len(read)


def test_what_was_acknowledged_is_published(store: Store) -> None:
    insert(store, range(100))
    report = publish(store)
    assert (report.tables, report.changed, report.added, report.rows) == (1, 1, 1, 100)
    assert agrees(store) == 100
    insert(store, range(100, 150))
    assert publish(store).added == 1
    assert agrees(store) == 150


def test_nothing_new_makes_no_snapshot(store: Store) -> None:
    insert(store, range(10))
    publish(store)
    before = table_of(store).current_snapshot()
    report = publish(store)
    assert (report.changed, report.added, report.removed) == (0, 0, 0)
    assert table_of(store).current_snapshot() == before


def test_tables_are_of_one_project_and_signal(store: Store) -> None:
    insert(store, range(5))
    store.insert("spans", [span(number) for number in range(7)], project="a b/c.d")
    store.insert("logs", [log(number) for number in range(3)])
    assert publish(store).tables == 3
    assert len(arrow_of(store)) == 5
    other = arrow_of(store, "a b/c.d")
    assert set(other["project"].to_pylist()) == {"a b/c.d"}
    assert len(other) == 7
    assert len(arrow_of(store, table="logs")) == 3


def test_merges_are_followed(store: Store) -> None:
    for start in range(0, 200, 20):
        insert(store, range(start, start + 20))
        store.flush()
    publish(store)
    assert len(table_of(store).inspect.data_files()) == 10
    assert store.compact(full=True).merges
    report = publish(store)
    assert (report.added, report.removed) == (1, 10)
    assert agrees(store) == 200


def test_a_later_version_of_a_span_counts_alone(store: Store) -> None:
    insert(store, range(100))
    store.flush()
    insert(store, range(0, 40, 2), name="again", duration_ns=7)
    publish(store)
    assert agrees(store) == 100
    insert(store, range(10), name="third")
    insert(store, range(5), name="fourth")
    publish(store)
    assert agrees(store) == 100


def test_patches_are_in_the_values(store: Store) -> None:
    insert(store, range(50))
    store.flush()
    insert(store, range(50, 60))
    store.patch(
        [
            {
                "trace_id": span(number)["trace_id"],
                "span_id": span(number)["span_id"],
                "scores": {"good": number / 10},
            }
            for number in (3, 55)
        ]
    )
    publish(store)
    assert agrees(store) == 60
    scores = dict(rows_of(arrow_of(store), "span_id", "scores.good:f64"))
    assert scores[span(3)["span_id"]] == 0.3
    assert scores[span(55)["span_id"]] == 5.5


def test_deletes_are_followed(store: Store) -> None:
    insert(store, range(100))
    store.insert("spans", [span(number) for number in range(9)], project="other")
    publish(store)
    store.delete(where="name = 'op-3'")
    publish(store)
    assert 0 < agrees(store) < 100
    store.delete(project="other")
    publish(store)
    assert len(arrow_of(store, "other")) == 0
    assert agrees(store) > 0


def test_retention_is_followed(tmp_path: Path) -> None:
    clock = FakeClock(START_NS + DAY_NS)
    with tracestore.open(tmp_path, background=False, clock=clock) as store:
        for day in range(4):
            insert(store, range(day * 10, day * 10 + 10), start_ns=START_NS + day * DAY_NS)
            store.flush()
        publish(store)
        assert agrees(store) == 40
        store.set_retention("default", 2)
        clock.advance(3 * 86_400)
        assert store.expire() == 20
        publish(store)
        assert agrees(store) == 20


def test_a_flush_of_many_days_is_parted_by_them(store: Store) -> None:
    insert(store, range(0))
    store.insert(
        "spans", [span(number, start_ns=START_NS + number * DAY_NS) for number in range(30)]
    )
    store.flush()
    publish(store)
    assert agrees(store) == 30
    days = table_of(store).inspect.partitions()["partition"].to_pylist()
    assert len({day["day"] for day in days}) == 30


def test_a_reader_of_an_older_snapshot_is_not_disturbed(store: Store, tmp_path: Path) -> None:
    for start in range(0, 60, 20):
        insert(store, range(start, start + 20))
        store.flush()
    publish(store)
    older = table_of(store)
    store.compact(full=True)
    store.delete(where="name = 'op-1'")
    publish(store)
    assert len(older.scan().to_arrow()) == 60
    assert len(list((tmp_path / "segments").rglob("*.parquet"))) > 1
    report = publish(store, keep_s=0)
    assert report.deleted_files > 0
    assert len(table_of(store).snapshots()) == 1
    live = {segment.location for segment in store.publications.take()}
    there = {f"file://{path}" for path in (tmp_path / "segments").rglob("*.parquet")}
    assert there == live
    assert agrees(store) < 60


def test_metadata_of_forgotten_snapshots_is_removed(store: Store, tmp_path: Path) -> None:
    for start in range(0, 100, 10):
        insert(store, range(start, start + 10))
        publish(store, keep_s=0)
    lists = list((tmp_path / "iceberg").rglob("snap-*.avro"))
    assert len(lists) == 1
    assert agrees(store) == 100


def test_columns_only_grow_and_keep_their_types(store: Store) -> None:
    values: list[Any] = [1, 2.5, "x", True, [1, 2], ["a"], {"b": 1}, [{"c": 1}], None, {}]
    for number, value in enumerate(values * 20):
        store.insert("spans", [span(number, input={"v": value, "a.b": {'q"': number}})])
        if number % len(values) == 0:
            store.flush()
            publish(store)
    store.compact(full=True)
    publish(store)
    assert agrees(store) == len(values) * 20
    numbers = [value for (value,) in rows_of(arrow_of(store), "input.v:i64") if value is not None]
    assert numbers == [1] * 20


def test_what_a_crash_leaves_is_made_good(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    insert(store, range(20))
    publish(store)
    insert(store, range(20, 40))
    with monkeypatch.context() as patching:

        def fails(*_: Any) -> None:
            raise RuntimeError("the process ends here")

        patching.setattr(expiry, "expire", fails)
        with pytest.raises(RuntimeError, match="ends here"):
            publish(store)
    store.compact(full=True)
    publish(store, keep_s=0)
    assert agrees(store) == 40


def test_rows_that_come_meanwhile_are_in_the_next_publication(store: Store) -> None:
    insert(store, range(20))
    segments = store.publications.take()
    insert(store, range(20, 30))
    assert sum(segment.rows for segment in segments) == 20
    publish(store)
    assert agrees(store) == 30


def test_times_are_times_and_days_leave_files_out(store: Store) -> None:
    for day in range(3):
        insert(store, range(day * 5, day * 5 + 5), start_ns=START_NS + day * DAY_NS)
        store.flush()
    publish(store)
    since = datetime.datetime.fromtimestamp((START_NS + 2 * DAY_NS) // 10**9, datetime.UTC)
    scan = table_of(store).scan(row_filter=f"start_time >= '{since.isoformat()}'")
    assert len(list(scan.plan_files())) == 1
    assert len(scan.to_arrow()) == 5
