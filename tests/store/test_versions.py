"""A later version of a span takes the place of the earlier one, wherever that lies, from its acknowledgement on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import START_NS, span
from store.kit import FakeClock, open_store, otlp_traces
from tracestore.errors import StorageFullError
from tracestore.store import Store

Step = Callable[[Store], object]

STEPS: dict[str, Step] = {
    "memory": lambda _: None,
    "segment": lambda store: store.flush(),
    "merged": lambda store: (store.flush(), store.compact(full=True)),
}


def named(number: int, **more: Any) -> dict[str, Any]:
    return span(number, name=f"span {number}", **more)


def pending(number: int) -> dict[str, Any]:
    row = named(number, attributes={"state": "pending", "only_pending": True})
    return {key: value for key, value in row.items() if key != "duration_ns"}


def final(number: int, **attributes: Any) -> dict[str, Any]:
    return named(number, attributes={"state": "final", "tokens": 5, **attributes})


def shown(folder: Path, sql: str = "SELECT name, attributes.state FROM spans") -> list[Any]:
    with tracestore.open(folder, background=False) as store:
        return asked(store, sql)


def asked(store: Any, sql: str = "SELECT name, attributes.state FROM spans") -> list[Any]:
    return sorted(tuple(row.values()) for row in store.sql(sql).rows())


@pytest.fixture(params=["reopened", "open"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Gives a function that takes a step, and asks: of the store as it is open, or as it is opened again."""
    if request.param == "open":
        with tracestore.open(tmp_path, background=False) as store:
            yield lambda step, sql=None: (step(store), asked(store, sql) if sql else None)[1]
        return

    def reopened(step: Callable[[Any], object], sql: str | None = None) -> Any:
        with tracestore.open(tmp_path, background=False) as store:
            step(store)
        return shown(tmp_path, sql) if sql else None

    yield reopened


ALL = "SELECT name, attributes.state, attributes.tokens, duration_ns IS NULL FROM spans"


@pytest.mark.parametrize("after", STEPS)
@pytest.mark.parametrize("before", STEPS)
def test_the_last_version_counts(ask: Any, before: str, after: str) -> None:
    def first(store: Store) -> None:
        store.insert("spans", [pending(1), pending(2)])
        STEPS[before](store)

    def second(store: Store) -> None:
        report = store.insert("spans", [final(1)])
        assert (report.rows, report.replaced, report.duplicates) == (1, 1, 0)

    assert ask(first, ALL) == [
        ("span 1", "pending", None, True),
        ("span 2", "pending", None, True),
    ]
    right = [("span 1", "final", 5, False), ("span 2", "pending", None, True)]
    assert ask(second, ALL) == right
    assert ask(STEPS[after], ALL) == right
    assert ask(lambda _: None, "SELECT count(*) FROM spans WHERE attributes.only_pending") == [(1,)]
    assert ask(lambda _: None, "SELECT sum(attributes.tokens), count(*) FROM spans") == [(5, 2)]


@pytest.mark.parametrize("state", STEPS)
def test_the_same_content_is_stored_once_also_late(ask: Any, state: str) -> None:
    ask(lambda store: store.insert("spans", [pending(1)]))
    ask(STEPS[state])
    ask(lambda store: store.insert("spans", [final(1)]))
    ask(STEPS[state])

    def again(store: Store) -> None:
        report = store.insert("spans", [final(1)])
        assert (report.rows, report.replaced, report.duplicates) == (0, 0, 1)

    assert ask(again, ALL) == [("span 1", "final", 5, False)]


def test_a_late_retry_does_not_undo_what_came_after_it(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [pending(1)])
        store.insert("spans", [final(1)])
        assert store.insert("spans", [pending(1), span(2)]).duplicates == 1
        assert ("span 1", "final") in asked(store)
        assert len(asked(store)) == 2


@pytest.mark.parametrize("state", STEPS)
def test_versions_of_one_request_count_as_one_span(tmp_path: Path, state: str) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        rows = [pending(1), final(1, step=1), span(3), final(1, step=2), pending(1)]
        report = store.insert("spans", rows)
        assert (report.rows, report.replaced, report.duplicates) == (2, 2, 1)
        STEPS[state](store)
        assert asked(store, "SELECT attributes.step FROM spans WHERE span_id LIKE '%2'") == [(2,)]


def test_a_client_span_and_a_server_span_have_versions_of_their_own(tmp_path: Path) -> None:
    client, server = ({**pending(1), "kind": kind} for kind in ("CLIENT", "SERVER"))
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [client, server])
        store.flush()
        store.insert("spans", [{**final(1), "kind": "SERVER"}])
        right = [("CLIENT", "pending"), ("SERVER", "final")]
        assert asked(store, "SELECT kind, attributes.state FROM spans") == right
        store.flush()
        store.compact(full=True)
        assert asked(store, "SELECT kind, attributes.state FROM spans") == right


def test_what_is_replaced_while_a_flush_writes_is_replaced_in_its_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        core = store._core
        store.insert("spans", [pending(number) for number in range(5)])
        write = core.segments.write

        def write_and_replace(*args: Any) -> Any:
            monkeypatch.undo()
            store.insert("spans", [final(3)])
            assert ("span 3", "final") in asked(store)
            return write(*args)

        monkeypatch.setattr(core.segments, "write", write_and_replace)
        store.flush()
        right = [("span 3", "final")]
        assert [row for row in asked(store) if row[0] == "span 3"] == right
        assert len(asked(store)) == 5
    copy = tmp_path.parent / "killed"
    shutil.copytree(tmp_path, copy)
    assert [row for row in shown(copy) if row[0] == "span 3"] == right
    with tracestore.open(tmp_path, background=False) as store:
        store.flush()
        assert len(asked(store)) == 5
    assert [row for row in shown(tmp_path) if row[0] == "span 3"] == right


def test_what_is_replaced_while_a_merge_writes_is_replaced_in_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        core = store._core
        for number in range(3):
            store.insert("spans", [pending(number)])
            store.flush()
        store.patch(
            {"trace_id": span(1)["trace_id"], "span_id": span(1)["span_id"], "scores": {"x": 1}}
        )
        write = core.segments.write

        def write_and_replace(*args: Any) -> Any:
            monkeypatch.undo()
            store.insert("spans", [final(1)])
            return write(*args)

        monkeypatch.setattr(core.segments, "write", write_and_replace)
        store.compact(full=True)
        right = [("span 0", "pending"), ("span 1", "final"), ("span 2", "pending")]
        assert asked(store) == right
        assert asked(store, "SELECT scores.x FROM spans WHERE name = 'span 1'") == [(1,)]
    with tracestore.open(tmp_path, background=False) as store:
        assert asked(store) == right
        store.flush()
        store.compact(full=True)
        assert store.stats().segment_rows == 3
        assert asked(store) == right
        assert asked(store, "SELECT scores.x FROM spans WHERE name = 'span 1'") == [(1,)]


@pytest.mark.parametrize("state", STEPS)
@pytest.mark.parametrize("fold", [True, False])
def test_patches_of_a_span_stay(tmp_path: Path, state: str, fold: bool) -> None:
    ids = {name: span(1)[name] for name in ("trace_id", "span_id")}
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [pending(1)])
        STEPS[state](store)
        store.patch([{**ids, "scores": {"x": 1}}, {**ids, "scores": {"y": 0.5}, "tags": ["seen"]}])
        if fold:
            store.flush()
            store.compact(full=True)
        store.patch([{**ids, "scores": {"y": 0.25}}])
        right = [("final", 1, 0.25, ["seen"])]
        sql = "SELECT attributes.state, scores.x, scores.y, tags FROM spans"
        store.insert("spans", [final(1)])
        assert asked(store, sql) == right
    assert shown(tmp_path, sql) == right
    with tracestore.open(tmp_path, background=False) as store:
        store.flush()
        store.compact(full=True)
        assert asked(store, sql) == right
        assert store.stats().segment_rows == 1


def test_a_deleted_span_takes_its_earlier_versions_and_its_patches_with_it(tmp_path: Path) -> None:
    ids = {name: span(1)[name] for name in ("trace_id", "span_id")}
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [pending(1), pending(2)])
        store.patch([{**ids, "metadata": {"note": "secret-note"}}])
        store.flush()
        store.compact(full=True)
        store.insert("spans", [final(1)])
        store.delete(where="attributes.state = 'final'")
        assert asked(store) == [("span 2", "pending")]
        assert store.stats().segment_rows == 1
        store.insert("spans", [final(1)])
        assert asked(store, "SELECT metadata.note FROM spans WHERE name = 'span 1'") == [(None,)]


def test_a_version_is_found_however_long_ago_the_earlier_one_came(tmp_path: Path) -> None:
    clock = FakeClock(START_NS)
    with open_store(tmp_path, clock=clock) as store:
        store.insert("spans", [pending(1), pending(2)])
        store.flush()
    clock.advance(5 * 3600)
    with open_store(tmp_path, clock=clock, recent_spans=8) as store:
        store.insert("spans", [span(number) for number in range(100, 140)])
        store.flush()
        report = store.insert("spans", [final(1), pending(2)])
        assert (report.rows, report.replaced, report.duplicates) == (1, 1, 1)
    assert [row for row in shown(tmp_path) if row[1]] == [
        ("span 1", "final"),
        ("span 2", "pending"),
    ]


def test_a_refused_version_leaves_the_earlier_one(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [pending(1)])
        append = store._core.wal.append  # type: ignore[union-attr]  # the store is open

        def full(_: object) -> int:
            raise StorageFullError("cannot write: no space")

        store._core.wal.append = full  # type: ignore[union-attr,method-assign]  # the disk is full
        with pytest.raises(StorageFullError):
            store.insert("spans", [final(1)])
        store._core.wal.append = append  # type: ignore[union-attr,method-assign]  # and is not any more
        assert store.insert("spans", [pending(1)]).duplicates == 1
        report = store.insert("spans", [final(1)])
        assert (report.rows, report.replaced) == (1, 1)
    assert shown(tmp_path) == [("span 1", "final")]


def test_otlp_versions_of_a_resource_or_a_scope_count_too(tmp_path: Path) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    body = otlp_traces([span(1)])
    request = ExportTraceServiceRequest.FromString(body)
    request.resource_spans[0].resource.attributes.add(key="host.name").value.string_value = "h"
    with tracestore.open(tmp_path, background=False) as store:
        assert store.ingest_otlp(body, signal="traces").rows == 1
        assert store.ingest_otlp(body, signal="traces").duplicates == 1
        more = request.SerializeToString()
        assert store.ingest_otlp(more, signal="traces").replaced == 1
        assert store.ingest_otlp(more, signal="traces").duplicates == 1
        assert asked(store, "SELECT resource.host.name FROM spans") == [("h",)]


def test_a_reader_sees_one_version_at_any_time(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [pending(1), pending(2)])
        store.flush()
        store.insert("spans", [final(1)])
        with tracestore.open(tmp_path, mode="r") as reader:
            # A reader of its own sees what is flushed.
            assert asked(reader) == [("span 1", "pending"), ("span 2", "pending")]
            store.compact(full=True)
            assert asked(reader) == [("span 1", "pending"), ("span 2", "pending")]
            store.flush()
            assert asked(reader) == [("span 1", "final"), ("span 2", "pending")]
            store.compact(full=True)
            assert asked(reader) == [("span 1", "final"), ("span 2", "pending")]


def test_the_first_and_the_last_spans_are_those_that_count(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [pending(number) for number in range(50)])
        store.flush()
        store.insert(
            "spans", [{**final(number), "start_ns": START_NS - 10**9} for number in range(40, 50)]
        )
        for state in STEPS.values():
            state(store)
            newest = store.sql("SELECT name FROM spans ORDER BY start_time DESC LIMIT 3").rows()
            assert [row["name"] for row in newest] == ["span 39", "span 38", "span 37"]
            assert asked(store, "SELECT count(*) FROM spans") == [(50,)]


def test_objects_of_the_version_that_counts_are_rebuilt(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [pending(1)])
        store.flush()
        store.insert("spans", [final(1)])
        for state in STEPS.values():
            state(store)
            rows = list(store.sql("SELECT attributes FROM spans").rows())
            assert rows == [{"attributes": {"state": "final", "tokens": 5}}]
