"""What a builder does with leaves: density, overflow, tail, export, threads, memory."""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data import payloads
from kernels import check, observed, reference
from tracestore.variant import TABLES, Shredder, unshred


def lines(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def build(rows: list[Any], **options: Any) -> Shredder:
    shredder = Shredder(table="json", **options)
    assert shredder.append_json(lines(rows)).rejected == []
    return shredder


def test_a_leaf_earns_a_column_from_16_rows_on() -> None:
    rows = [{"often": n, **({"seldom": n} if n < 15 else {})} for n in range(16)]
    table = build(rows).finish()
    assert table.column_names == ["often:i64", "_overflow"]
    assert table.column("_overflow").null_count == 1
    assert observed.rows(table) == [reference.shred(row) for row in rows]


def test_a_leaf_earns_a_column_from_one_row_in_a_hundred_on() -> None:
    rows = [
        {"always": n, **({"a": 1} if n % 100 == 0 else {}), **({"b": 1} if n % 103 == 0 else {})}
        for n in range(10_000)
    ]
    table = build(rows).finish()
    assert table.column_names == ["a:i64", "always:i64", "_overflow"]
    values = [reference.canon(row) for row in rows]
    assert observed.json_lines(unshred(table)) == values


def test_the_densest_leaves_win_when_columns_are_few() -> None:
    rows = [{f"k{key}": n for key in range(10) if n % (key + 1) == 0} for n in range(200)]
    table = build(rows, max_leaf_columns=3).finish()
    assert table.column_names == ["k0:i64", "k1:i64", "k2:i64", "_overflow"]
    assert observed.rows(table) == [reference.shred(row) for row in rows]


def test_density_is_judged_over_the_rows_that_are_kept() -> None:
    rows = [{"half": 1} if n < 50 else {"other": 1} for n in range(100)]
    table = build(rows).finish(order=np.arange(50, dtype=np.uint32))
    assert table.column_names == ["half:i64", "_overflow"]
    assert table.num_rows == 50


def test_the_tail_lists_what_overflow_holds_by_path_and_row() -> None:
    rows: list[Any] = [{"id": n} for n in range(100)]
    rows[7] |= {"z": 1.5, "b": [1, 2], "s": "x"}
    rows[3] |= {"z": "text", "m": {"k": True}, "n": None}
    rows[50] |= {"z": 9, "l": [{"a": 1}]}
    table, tail = build(rows).finish(tail=True)
    assert table.column_names == ["id:i64", "_overflow"]
    found = [
        (entry["path"], entry["row"], entry["type"], entry[column])
        for entry in tail.to_pylist()
        for column in ("i64", "f64", "bool", "str", "bin")
        if entry[column] is not None
    ]
    assert [(path, row, kind) for path, row, kind, _ in found] == [
        ("b", 7, "i64[]"),
        ("l", 50, "json[]"),
        ("m.k", 3, "bool"),
        ("n", 3, "json"),
        ("s", 7, "str"),
        ("z", 3, "str"),
        ("z", 7, "f64"),
        ("z", 50, "i64"),
    ]
    values = {(path, row): value for path, row, _, value in found}
    assert json.loads(values["b", 7]) == [1, 2]
    assert json.loads(values["l", 50]) == [{"a": 1}]
    assert values["n", 3] == "null"
    assert values["z", 3] == "text"
    assert values["z", 7] == 1.5
    assert values["z", 50] == 9
    assert tail.num_rows == len(found)
    assert tail.schema.field("row").type == pa.int64()


def test_the_tail_counts_rows_of_the_finished_order() -> None:
    rows: list[Any] = [{"id": n} for n in range(40)]
    rows[5]["rare"] = "five"
    rows[30]["rare"] = "thirty"
    order = np.arange(39, 9, -1).astype(np.uint32)
    table, tail = build(rows).finish(tail=True, order=order)
    assert tail.select(["path", "row", "str"]).to_pylist() == [
        {"path": "rare", "row": 9, "str": "thirty"}
    ]
    assert json.loads(table.column("_overflow")[9].as_py()) == {"rare:str": "thirty"}


def test_export_copies_a_range_and_leaves_the_builder_as_it_is() -> None:
    rows = [{"n": n, f"k{n % 7}": str(n)} for n in range(50)]
    shredder = build(rows)
    expected = [reference.shred(row) for row in rows]
    assert observed.rows(shredder.export(10, 20)) == expected[10:20]
    assert observed.rows(shredder.export(49)) == expected[49:]
    assert shredder.export(50).num_rows == 0
    assert shredder.export(20, 20).num_rows == 0
    assert shredder.rows == 50
    shredder.append_json(b'{"late": true}')
    assert observed.rows(shredder.export())[:50] == expected
    assert shredder.export(50).column("late:bool").to_pylist() == [True]


def test_finish_empties_the_builder_and_it_can_be_used_again() -> None:
    shredder = build([{"a": 1}], **check.DENSE)
    first = shredder.finish()
    assert (shredder.rows, shredder.finish().num_rows) == (0, 0)
    shredder.append_json(b'{"b": "x"}')
    assert shredder.finish().column_names == ["b:str", "_overflow"]
    assert first.column("a:i64").to_pylist() == [1]


def test_nbytes_and_leaf_counts_tell_what_is_held() -> None:
    shredder = build([{"a": n, "a.b": "x" * 100} for n in range(1000)] + [{"a": "s"}])
    assert sorted(shredder.leaf_counts()) == [('"a.b"', "str", 1000), ("a", "i64", 1000),
                                              ("a", "str", 1)]  # fmt: skip
    assert 100_000 <= shredder.nbytes <= 10_000_000


def test_a_rare_path_costs_memory_by_its_values_not_by_the_rows() -> None:
    plain = build([{"id": n} for n in range(20_000)]).nbytes
    rare = build([{"id": n, **({f"k{n}": 1} if n % 10 == 0 else {})} for n in range(20_000)])
    assert rare.nbytes - plain < 2000 * 1000


@pytest.mark.parametrize("name", ["spans", "logs", "dataset_rows", "json"])
def test_an_empty_builder_gives_an_empty_table_of_the_fixed_columns(name: str) -> None:
    table, tail = Shredder(table=name).finish(tail=True)
    assert table.num_rows == tail.num_rows == 0
    assert table.column_names == [*TABLES[name].columns, "_overflow"]


def test_fixed_columns_can_be_read_while_the_builder_fills() -> None:
    shredder = Shredder(table="spans")
    body = payloads.request("traces", 1, rows=10).SerializeToString()
    shredder.append_otlp(body, signal="traces")
    table = shredder.export()
    for name in ("start_ns", "trace_id", "span_id", "project"):
        assert shredder.fixed_column(name).to_pylist() == table.column(name).to_pylist()


def test_tables_of_different_columns_can_be_merged() -> None:
    first = build([{"a": n, "x": n} for n in range(20)]).finish()
    second = build([{"a": str(n), "y": {"z": n}} for n in range(20)], **check.DENSE).finish()
    merged = Shredder(table="json")
    assert merged.append_table(first) == 20
    assert merged.append_table(second) == 20
    table = merged.finish()
    assert observed.rows(table) == observed.rows(first) + observed.rows(second)
    assert {"a:i64", "a:str", "y.z:i64"} <= set(table.column_names)


def test_several_threads_fill_several_builders_at_once() -> None:
    bodies = [
        payloads.request("traces", seed, 40, odd=True).SerializeToString() for seed in range(4)
    ]

    def fill(number: int) -> pa.Table:
        shredder = Shredder(table="spans")
        for turn in range(30):
            shredder.append_otlp(bodies[(number + turn) % 4], signal="traces")
            if turn % 10 == 0:
                shredder.export()
        return shredder.finish()

    alone = [fill(number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fill, range(4)))
    for one, other in zip(alone, together, strict=True):
        assert one.equals(other)


def test_other_threads_run_while_a_batch_is_shredded() -> None:
    # Threads are not switched by the clock here: the main thread runs only if the worker lets go.
    batch = lines([{"n": n, "text": "x" * 100, "list": [n, "y"]} for n in range(1000)]) * 200
    shredder = Shredder(table="json")
    started, done = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        shredder.append_json(batch)
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        worker = threading.Thread(target=work)
        worker.start()
        started.wait()
        finished_first = done.is_set()
        worker.join()
    finally:
        sys.setswitchinterval(interval)
    assert not finished_first


def test_a_second_appender_is_refused_and_does_no_harm() -> None:
    batch = lines([{"n": n, "list": [n, "y"]} for n in range(20_000)])
    shredder = Shredder(table="json")

    def work(_: int) -> int:
        try:
            return shredder.append_json(batch).rows
        except RuntimeError:
            return 0

    with ThreadPoolExecutor(4) as pool:
        added = sum(pool.map(work, range(16)))
    assert added >= 20_000
    assert shredder.rows == added
    assert shredder.finish().num_rows == added


def test_tables_outlive_their_builder() -> None:
    tables = []
    for number in range(20):
        shredder = build([{"a": f"{number}-{row}", "l": [row]} for row in range(50)])
        tables.append((shredder.export(0, 10), shredder.finish()))
        del shredder
    for number, (part, whole) in enumerate(tables):
        assert part.column("a:str").to_pylist() == [f"{number}-{row}" for row in range(10)]
        assert whole.column("a:str").to_pylist()[-1] == f"{number}-49"
