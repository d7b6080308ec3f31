"""Segments of a project may be sorted by columns before time; what they are sorted by stands in file and catalog."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from data.stores import DAY_NS, ndjson, span
from store.kit import FakeClock, open_store, segment_files
from tracestore.errors import CatalogError, FormatVersionError, LimitExceededError, PathSyntaxError
from tracestore.segment.inspect import describe
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store import Store
from tracestore.store.catalog.schema import tables, versions
from tracestore.store.segments.cluster_order import clustered

ALWAYS: dict[str, Any] = {"min_cluster_rows": 1}


def rows(count: int, first: int = 0, step_ns: int = 1_000_000) -> list[dict[str, Any]]:
    return [
        span(
            number,
            start_ns=span(0)["start_ns"] + number * step_ns,
            service=f"s{number * 7 % 5}",
            attributes={"http.route": f"/r{number % 3}", "n": number % 4, "only": number},
        )
        for number in range(first, first + count)
    ]


def orders(folder: Path) -> list[list[tuple[Any, ...]]]:
    found = []
    for path in segment_files(folder):
        table = pq.read_table(path)
        names = ("service", 'attributes."http.route":str', "start_ns")
        found.append(list(zip(*(table[name].to_pylist() for name in names), strict=True)))
    return found


def stored_by(folder: Path) -> set[tuple[str, ...]]:
    return {describe(path).footer.cluster_by for path in segment_files(folder)}


def test_flushes_and_merges_sort_by_the_columns_of_the_project(tmp_path: Path) -> None:
    with open_store(tmp_path, **ALWAYS) as store:
        store.insert("spans", ndjson(rows(40)))
        store.flush()
        assert stored_by(tmp_path) == {()}
        store.set_cluster_by("default", ["service", "attributes.http.route"])
        assert store.cluster_by() == {"default": ("service", "attributes.http.route")}
        store.insert("spans", ndjson(rows(40, first=40)))
        store.flush()
        by = ("service", 'attributes."http.route":str')
        assert stored_by(tmp_path) == {(), by}
        [plain, sorted_] = sorted(orders(tmp_path), key=lambda order: order[0][2])
        assert sorted_ == sorted(sorted_) != plain
        store.compact(full=True)
        assert stored_by(tmp_path) == {by}
        [merged] = orders(tmp_path)
        assert merged == sorted(merged)
        assert len(merged) == 80
        assert store.check(deep=True).ok
        store.set_cluster_by("default", None)
        assert store.cluster_by() == {}
        store.insert("spans", ndjson(rows(40, first=80)))
        store.flush()
        store.compact(full=True)
        assert stored_by(tmp_path) == {()}
        [merged] = orders(tmp_path)
        assert [row[2] for row in merged] == sorted(row[2] for row in merged)


def test_other_projects_and_small_segments_stay_sorted_by_time(tmp_path: Path) -> None:
    with open_store(tmp_path, min_cluster_rows=30) as store:
        store.set_cluster_by("default", ["service"])
        store.insert("spans", ndjson(rows(29)))
        store.insert("spans", ndjson(rows(40)), project="other")
        store.flush()
    assert stored_by(tmp_path) == {()}


def test_slices_of_time_of_a_merge_take_each_row_once(tmp_path: Path) -> None:
    with open_store(tmp_path, compaction_unit_rows=70, **ALWAYS) as store:
        store.set_cluster_by("default", ["service"])
        for first in (0, 60, 120):
            # Segments that overlap in time, in days too.
            store.insert("spans", ndjson(rows(60, first=first // 2, step_ns=DAY_NS // 100)))
            store.insert("spans", ndjson(rows(60, first=200 + first, step_ns=DAY_NS // 100)))
            store.flush()
        before = [segment["start_ns"] for segment in _spans(store)]
        store.compact(full=True)
        assert [segment["start_ns"] for segment in _spans(store)] == before
        assert {each[:1] for each in stored_by(tmp_path)} == {("service",)}


def _spans(store: Store) -> list[dict[str, Any]]:
    with store.snapshot(["spans"]) as snapshot:
        tables = [
            pq.read_table(segment.uri, columns=["start_ns"])
            for segment in snapshot.tables["spans"].segments
        ]
    return sorted(pa.concat_tables(tables).to_pylist(), key=lambda row: row["start_ns"])


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        (["a", "b", "c", "d", "e"], LimitExceededError),
        (["service", "service"], PathSyntaxError),
        (["start_time"], PathSyntaxError),
        (["is_root"], PathSyntaxError),
        (["nothing"], PathSyntaxError),
        ([""], PathSyntaxError),
        (["input[0].role"], PathSyntaxError),
        (['attributes."open'], PathSyntaxError),
        (["attributes." + "x" * 2000], LimitExceededError),
    ],
)
def test_what_is_no_column_is_refused(
    tmp_path: Path, columns: list[str], error: type[Exception]
) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(error, match="cannot"):
            store.set_cluster_by("default", columns)
        assert store.cluster_by() == {}


def test_software_that_does_not_know_of_it_may_not_open_the_catalog(tmp_path: Path) -> None:
    def known(store: Store) -> int:
        return int(store._core.catalog.meta("compatible_version"))

    with open_store(tmp_path) as store:
        before = known(store)
        store.set_cluster_by("default", None)
        assert known(store) == before < versions.VERSION
        store.set_cluster_by("default", ["service"])
        assert known(store) == versions.VERSION


def test_nodes_that_do_not_know_of_it_keep_it_from_being_set(tmp_path: Path) -> None:
    with open_store(tmp_path, clock=FakeClock()) as store:
        values = {
            column.name: "x" if isinstance(column.type, sa.String) else 0
            for column in tables.NODES.c
        }
        old = {**values, "node_id": "old", "schema_version": 8, "lease_ns": 2**62, "stopped": False}
        with store._core.catalog.writing() as connection:
            connection.execute(tables.NODES.insert().values(**old))
        with pytest.raises(CatalogError, match="old"):
            store.set_cluster_by("default", ["service"])
        assert store.cluster_by() == {}


def test_a_reader_that_does_not_know_the_format_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path, **ALWAYS) as store:
        store.set_cluster_by("default", ["service"])
        store.insert("spans", ndjson(rows(5)))
        store.flush()
    [path] = segment_files(tmp_path)
    monkeypatch.setattr("tracestore.segment.footer.READABLE", frozenset({1, 2}))
    with pytest.raises(FormatVersionError, match="got 3"):
        describe(path)


class Columns:
    """Columns of rows, as a merge has them."""

    def __init__(self, columns: dict[str, pa.Array]) -> None:
        self._columns = columns

    def leaf_names(self) -> list[str]:
        return [name for name in self._columns if ":" in name]

    def whole_column(self, name: str) -> pa.Array:
        return self._columns[name]


@given(seed=st.integers(0, 2**32), count=st.integers(0, 60))
@settings(deadline=None, max_examples=60)
def test_rows_come_by_column_then_as_they_were(seed: int, count: int) -> None:
    draw = random.Random(seed)
    values: dict[str, list[Any]] = {
        "service": [draw.choice([None, "", "b", "a", "ä"]) for _ in range(count)],
        "duration_ns": [draw.choice([None, 3, -1, 2**62]) for _ in range(count)],
        "attributes.x:str": [draw.choice([None, "x", "y"]) for _ in range(count)],
        "attributes.x:i64": [draw.choice([None, 1, 2]) for _ in range(count)],
        "attributes.x:json": ["{}" for _ in range(count)],
    }
    kinds = {"duration_ns": pa.int64(), "attributes.x:i64": pa.int64()}
    arrays = {
        name: pa.array(column, kinds.get(name, pa.string())) for name, column in values.items()
    }
    if draw.random() < 0.5:
        arrays["service"] = arrays["service"].dictionary_encode()
    order = np.array(draw.sample(range(count), count), np.int64)
    columns = draw.sample(["service", "duration_ns", "attributes.x", "attributes.none"], 3)
    found, names = clustered(Columns(arrays), SEGMENT_TABLES["spans"], columns, order)
    stored = {"attributes.x": ["attributes.x:i64", "attributes.x:str"], "attributes.none": []}
    want = [name for column in columns for name in stored.get(column, [column])]
    assert list(names) == want

    keyed = {
        row: tuple(
            (
                values[name][row] is None,
                b"" if values[name][row] is None else _bytes(values[name][row]),
            )
            for name in want
        )
        for row in range(count)
    }
    assert found.tolist() == sorted(order.tolist(), key=keyed.__getitem__)


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
