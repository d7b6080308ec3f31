"""A merge moves columns; what comes out is what shredding every row again would give."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.stores import START_NS
from tracestore import limits
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.rewrite.joined import join_tables
from tracestore.store.segments import row_order
from tracestore.variant import Shredder

SPANS = SEGMENT_TABLES["spans"]
VALUES = [
    7,
    2.5,
    True,
    None,
    "text",
    "x" * 300,
    [1, 2],
    [0.5],
    ["a", "b"],
    [{"role": "user"}, 1],
    [],
    {},
    {"deep": {"er": "x"}},
    2**70,
]


def make_row(draw: random.Random, number: int, keys: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Returns a span with keys that come with a probability each; some values are of any type."""
    attributes = {}
    for key, probability in keys:
        if draw.random() < probability:
            is_odd = draw.random() < 0.1
            attributes[key] = draw.choice(VALUES) if is_odd else VALUES[len(key) % len(VALUES)]
    return {
        "trace_id": f"{draw.randrange(5) + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "kind": draw.choice(["CLIENT", "SERVER"]),
        "start_ns": START_NS + draw.randrange(40),
        "duration_ns": number,
        "name": f"n{number % 7}",
        "attributes": attributes,
    }


def plain_row(number: int, attributes: dict[str, Any]) -> dict[str, Any]:
    """Returns a span of its own trace."""
    return {
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "start_ns": START_NS + number,
        "attributes": attributes,
    }


def shredded(rows: Sequence[dict[str, Any]], *, dictionary: bool) -> pa.Table:
    """Returns rows as a segment holds them."""
    shredder = Shredder("spans")
    shredder.append_json("\n".join(map(json.dumps, rows)).encode())
    table = shredder.finish(dictionary=dictionary)
    return table.drop_columns(list(SPANS.derived))


def shredded_again(
    tables: Sequence[pa.Table], max_leaf_columns: int
) -> tuple[pa.Table, pa.Table] | None:
    """Returns what appending every row to a builder gives."""
    shredder = Shredder("spans", max_paths=limits.MAX_NODES, max_leaf_columns=max_leaf_columns)
    for table in tables:
        shredder.append_table(table)
    source = row_order.ShreddedRows(shredder, SPANS)
    every = np.arange(shredder.rows, dtype=np.int64)
    order = row_order.sorted_rows(source, SPANS, every)
    order = row_order.without_repeats(source, SPANS, order)
    if len(order) == 0:
        return None
    table, tail = shredder.finish(order=order, tail=True)
    return table.drop_columns(list(SPANS.derived)), tail


def check_same(tables: Sequence[pa.Table], max_leaf_columns: int = limits.MAX_LEAF_COLUMNS) -> None:
    """Fails where moving columns gives other columns, rows or tails than shredding again."""
    want = shredded_again(tables, max_leaf_columns)
    have = join_tables(tables, SPANS, max_leaf_columns=max_leaf_columns)
    if want is None:
        assert have is None
        return
    assert have is not None
    assert have.table.column_names == want[0].column_names
    assert have.table.to_pylist() == want[0].to_pylist()
    tail = [] if have.tail is None else have.tail.to_pylist()
    assert tail == want[1].to_pylist()


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    most=st.sampled_from([0, 1, 5, 500]),
)
@settings(deadline=None, max_examples=30)
def test_joining_is_shredding_again(seed: int, sizes: list[int], most: int) -> None:
    draw = random.Random(seed)
    tables = []
    for size in sizes:
        keys = [
            (f"k{'x' * number}", draw.choice([0.02, 0.1, 0.3, 1.0]))
            for number in draw.sample(range(25), 12)
        ]
        # Spans come again, with other content.
        rows = [make_row(draw, draw.randrange(100), keys) for _ in range(size)]
        tables.append(shredded(rows, dictionary=draw.random() < 0.7))
    check_same(tables, most)


@pytest.mark.parametrize("kinds", ["text", "list", "both"])
def test_a_column_here_is_in_the_overflow_there(kinds: str) -> None:
    of_kind: dict[str, list[Any]] = {
        "text": ["a"],
        "list": [["a", "b"]],
        "both": ["a", ["a", "b"]],
    }
    values = of_kind[kinds]
    dense = [plain_row(n, {"key": values[n % len(values)]}) for n in range(50)]
    sparse = [plain_row(100 + n, {"key": "rare"} if n == 3 else {}) for n in range(400)]
    check_same([shredded(dense, dictionary=True), shredded(sparse, dictionary=True)])
    check_same([shredded(sparse, dictionary=True), shredded(dense, dictionary=False)])


def test_a_column_that_became_rare_goes_into_the_tail() -> None:
    few = [plain_row(n, {"key": n}) for n in range(16)]
    many = [plain_row(100 + n, {"other": n}) for n in range(5_000)]
    tables = [shredded(few, dictionary=True), shredded(many, dictionary=True)]
    joined = join_tables(tables, SPANS)
    assert joined is not None
    assert "attributes.key:i64" not in joined.table.column_names
    assert joined.tail is not None
    assert len(joined.tail) == 16
    check_same(tables)


def test_a_path_that_is_rare_in_each_earns_a_column_of_all() -> None:
    parts = [
        [plain_row(100 * part + n, {"key": n} if n < 10 else {}) for n in range(100)]
        for part in range(4)
    ]
    tables = [shredded(rows, dictionary=True) for rows in parts]
    joined = join_tables(tables, SPANS)
    assert joined is not None
    assert "attributes.key:i64" in joined.table.column_names
    check_same(tables)


def test_texts_of_deleted_rows_are_in_no_dictionary() -> None:
    rows = [{**plain_row(n // 2, {}), "name": f"n{n}"} for n in range(20)]
    joined = join_tables([shredded(rows, dictionary=True)], SPANS)
    assert joined is not None
    names = joined.table.column("name").combine_chunks()
    assert sorted(names.dictionary.to_pylist()) == sorted(f"n{n}" for n in range(1, 20, 2))
