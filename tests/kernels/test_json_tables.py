"""JSON rows of `spans` and `logs`: top-level keys are the table's columns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kernels import check, observed, reference
from tracestore.variant import Shredder, input_key

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"
START_NS = 1_544_712_660_123_456_789


def minimal(**fields: Any) -> dict[str, Any]:
    return {"trace_id": TRACE_ID, "span_id": SPAN_ID, "name": "n", "start_ns": START_NS, **fields}


def shred(*rows: Any, table: str = "spans", **routing: Any) -> pa.Table:
    shredder = Shredder(table=table, **check.DENSE)
    report = shredder.append_json("\n".join(map(json.dumps, rows)).encode(), **routing)
    assert report.rejected == []
    return shredder.finish()


def rejected(*rows: Any, table: str = "spans") -> list[int]:
    shredder = Shredder(table=table)
    report = shredder.append_json("\n".join(map(json.dumps, rows)).encode())
    assert shredder.rows == len(rows) - len(report.rejected)
    return [row for row, _, _ in report.rejected]


def test_columns_and_variants_are_told_apart() -> None:
    table = shred(minimal(kind="CLIENT", attributes={"a": 1}, input={"q": "x"}, scores={"s": 0.5}))
    assert table.column("kind").to_pylist() == ["CLIENT"]
    assert observed.rows(table) == [
        {
            "attributes.a:i64": ("i", 1),
            "input.q:str": ("s", "x"),
            "scores.s:f64": reference.bits(0.5),
        }
    ]


def test_times_are_nanoseconds_or_iso_text() -> None:
    by_text = minimal(start_time="2018-12-13T14:51:00.123456789Z", duration_ns=1000)
    del by_text["start_ns"]
    shifted = {**by_text, "start_time": "2018-12-13T15:51:00.123456789+01:00"}
    table = shred(minimal(duration_ns=1000), by_text, shifted)
    assert table.column("start_ns").to_pylist() == [START_NS] * 3
    assert table.column("duration_ns").to_pylist() == [1000] * 3
    assert table.column("start_time").cast(pa.int64()).to_pylist() == [START_NS // 1000] * 3


def test_end_time_gives_the_duration() -> None:
    table = shred(minimal(end_time="2018-12-13T14:51:01.123456789Z"))
    assert table.column("duration_ns").to_pylist() == [10**9]
    assert table.column("duration").to_pylist() == [1.0]


def test_a_span_without_end_has_no_duration() -> None:
    table = shred(minimal())
    for name in ("end_time", "duration_ns", "duration"):
        assert table.column(name).to_pylist() == [None]


def test_input_key_is_that_of_the_input_and_null_without_one() -> None:
    rows = [
        minimal(input={"a": 1, "b": 2}),
        minimal(input={"b": 2, "a": 1}),
        minimal(input="x"),
        minimal(),
    ]
    found = shred(*rows).column("input_key").to_pylist()
    assert found[0] == found[1] == input_key(b'{"a":1,"b":2}')
    assert found[2] == input_key(b'"x"')
    assert found[3] is None


def test_a_span_without_parent_is_a_root() -> None:
    table = shred(
        minimal(), minimal(parent_span_id="00000000000000aa"), minimal(parent_span_id=None)
    )
    assert table.column("is_root").to_pylist() == [True, False, True]


def test_rows_without_good_ids_are_refused_alone() -> None:
    bad = [
        minimal(trace_id=None),
        minimal(trace_id="12"),
        minimal(trace_id="0" * 32),
        minimal(trace_id="z" * 32),
        minimal(span_id=""),
        minimal(span_id=5),
        minimal(parent_span_id="1"),
    ]
    assert rejected(minimal(), *bad, minimal()) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("row", [1, [], None, "text", {}])
def test_a_row_that_is_no_span_is_refused(row: Any) -> None:
    assert rejected(row, minimal()) == [0]


def test_projects_come_from_the_row_or_from_the_call() -> None:
    rows = [minimal(project="own", experiment="e"), minimal()]
    table = shred(*rows, project="given", experiment="g")
    assert table.column("project").to_pylist() == ["own", "given"]
    assert table.column("experiment").to_pylist() == ["e", "g"]
    assert shred(*rows, project="given", only_project="own").num_rows == 1


def test_a_log_row() -> None:
    row = {"time_ns": START_NS, "severity_number": 9, "body": {"m": "x"}, "trace_id": TRACE_ID}
    table = shred(row, {**row, "trace_id": None, "body": "plain"}, table="logs")
    assert table.column("time_ns").to_pylist() == [START_NS] * 2
    assert table.column("trace_id").to_pylist() == [TRACE_ID, None]
    assert [list(leaves) for leaves in observed.rows(table)] == [["body.m:str"], ["body:str"]]


def test_an_order_that_names_no_row_or_one_twice_is_refused() -> None:
    shredder = Shredder(table="json")
    shredder.append_json(b"1\n2\n3\n")
    for order in ([0, 3], [-1], [1, 1]):
        with pytest.raises(ValueError, match="order"):
            shredder.build(order=np.array(order, dtype=np.int64))
    assert shredder.rows == 3
    assert shredder.build(order=np.array([], dtype=np.uint32)).num_rows == 0
    assert shredder.build().equals(shredder.finish())


def test_rows_of_datasets_have_their_own_columns() -> None:
    row = {"dataset_id": "d", "id": "a", "version": 3, "created_ns": START_NS, "digest": -5}
    table = shred(
        {
            **row,
            "input": {"b": 2, "a": 1},
            "expected": 4,
            "tags": ["x"],
            "origin": {"trace_id": TRACE_ID},
        },
        {**row, "deleted": 1},
        table="dataset_rows",
        experiment="is no column here",
    )
    for name in ("dataset_id", "id", "version", "created_ns", "digest"):
        assert table.column(name).to_pylist() == [row[name]] * 2
    assert table.column("project").to_pylist() == ["default"] * 2
    assert table.column("deleted").to_pylist() == [None, 1]
    assert table.column("input_key").to_pylist() == [input_key(b'{"a":1,"b":2}'), None]
    assert table.column("created").cast(pa.int64()).to_pylist() == [START_NS // 1000] * 2


def test_a_row_of_a_dataset_needs_its_names_and_time() -> None:
    row = {"dataset_id": "d", "id": "a", "version": 3, "created_ns": START_NS}
    for name in row:
        assert rejected(row, {**row, name: None}, table="dataset_rows") == [1]
    assert rejected({**row, "other": 1}, {**row, "version": "x"}, table="dataset_rows") == [0, 1]


def test_rows_of_datasets_that_are_cut_or_damaged_are_refused_or_read_never_worse() -> None:
    whole = json.dumps(
        {
            "dataset_id": "d", "id": "ä", "version": 3, "created_ns": START_NS, "digest": -5, "deleted": 0,
            "input": {"q": [1, {"a": "b"}]}, "expected": 1.5, "tags": ["x"], "origin": {"span_id": SPAN_ID},
        }
    ).encode()  # fmt: skip
    damaged = [whole[:end] for end in range(len(whole))]
    damaged += [
        whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]
        for at in range(len(whole))
        for flip in (1, 0x20, 0x80)
    ]
    for payload in damaged:
        shredder = Shredder(table="dataset_rows", **check.DENSE)
        report = shredder.append_json(payload)
        assert report.rows + report.rejected_rows <= 1 or b"\n" in payload
        table = shredder.finish()
        assert table.num_rows == report.rows
        for name in ("dataset_id", "id", "version", "created_ns"):
            assert table.column(name).null_count == 0
