"""A question for traces by their ids opens no segment that lacks them, and finds them whatever was asked before."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from sqlglot import exp

from data.stores import STATES, build, span
from tracestore import Store
from tracestore_query import Query
from tracestore_query.bind.binder import Binder
from tracestore_query.execute.file_rows import FileRows, Numbers
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


MIXED = [
    {"model": "m", "n": 1, "list": [{"role": "user"}, 2], "deep": {"x": None, "y": {}}},
    {"n": 0.5, "gen_ai.request.model": "a", "Model": True, "_overflow": 3},
    {"n": "text", 'quoted "key"': [1, 2], "it's": {"file": 1, "row": 2}, "": -(2**70)},
    None,
]
"""Attributes of spans of one trace whose paths have several types, and names that need care."""

WHOLE = (
    "SELECT * FROM spans WHERE trace_id = $id ORDER BY span_id",
    "SELECT attributes.n, attributes, input, attributes.deep FROM spans WHERE trace_id = $id ORDER BY span_id",
    "SELECT t.attributes AS a, t.attributes.n AS n FROM (SELECT * FROM spans WHERE trace_id = $id) t ORDER BY span_id",
    (
        "SELECT a.attributes, b.input FROM spans a JOIN spans b ON a.span_id = b.parent_span_id "
        "WHERE a.trace_id = $id ORDER BY b.span_id"
    ),
    (
        "WITH w AS (SELECT attributes, span_id FROM spans WHERE trace_id = $id) "
        "SELECT attributes, $id AS id FROM w UNION ALL SELECT attributes, '' FROM w"
    ),
)
LAST = (
    "SELECT * FROM spans ORDER BY start_time DESC LIMIT 7",
    "SELECT attributes, name, input FROM spans ORDER BY start_ns LIMIT 9",
)


def mixed_span(number: int) -> dict[str, object]:
    more: dict[str, object] = {"input": [{"role": "user", "content": f"text {number}"}]}
    more["attributes"] = MIXED[number % len(MIXED)]
    more["parent_span_id"] = f"{number // 4 * 4 + 1:016x}"
    return span(number, **more)


@pytest.mark.parametrize("state", STATES)
def test_objects_of_few_rows_are_those_that_their_files_give(tmp_path: Path, state: str) -> None:
    with build(
        tmp_path / "store", state, {"spans": [mixed_span(i) for i in range(SPANS)]}
    ) as store:
        store.insert("spans", [mixed_span(SPANS) | {"trace_id": trace_id(TRACES - 1)}])
        with closing(Query(store, shortcuts=False)) as late:
            for text in (*WHOLE, *LAST):
                for number in (3, TRACES - 1, TRACES + 1) if "$id" in text else (0,):
                    asked = {"id": trace_id(number)} if "$id" in text else None
                    found, want = (query.sql(text, asked).arrow() for query in (store.query, late))
                    assert rows_in_order(found, text) == rows_in_order(want, text), text


def rows_in_order(table: pa.Table, text: str) -> list[tuple[object, ...]]:
    """Returns the rows of an answer, sorted where the query does not order them."""
    rows = [tuple(row.values()) for row in table.to_pylist()]
    return sorted(rows, key=str) if "UNION" in text else rows


@pytest.mark.parametrize("state", ["one segment", "many segments", "compacted"])
def test_no_file_is_read_once_more_for_the_objects_of_a_trace(
    tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    read_rows = FileRows.read

    def noted(files: FileRows, file: str, numbers: Numbers, columns: Sequence[str]) -> pa.Table:
        read.append(file)
        return read_rows(files, file, numbers, columns)

    monkeypatch.setattr(FileRows, "read", noted)
    spans = [mixed_span(i) for i in range(SPANS)]
    with build(tmp_path / "store", state, {"spans": spans}) as store:
        for text in (*WHOLE[:3], *LAST):
            asked = {"id": trace_id(7)} if "$id" in text else None
            assert store.sql(text, asked).rows()
        assert read == []
        # All rows of the table may be in the answer: its objects are rebuilt a batch at a time.
        assert store.sql("SELECT attributes FROM spans").rows()
        assert read


def test_objects_of_too_many_columns_are_read_from_their_files(tmp_path: Path) -> None:
    spans = [
        span(i, attributes={f"key{number}": i + number for number in range(100)})
        for i in range(SPANS)
    ]
    with build(tmp_path / "store", "many segments", {"spans": spans}) as store:
        found = store.sql(ASKED, {"id": trace_id(7)}).rows()
        assert [row["attributes"] for row in found] == [row["attributes"] for row in spans[28:32]]
