"""The heads of a dataset: what a write must know of the newest revision of each row, its digest by id."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Final, TypeVar

import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.segment.read import SegmentFile
from tracestore.store.catalog.datasets import Dataset
from tracestore.store.core import Core
from tracestore.store.memory.need import NO_PATHS, Need
from tracestore.store.nodes import view as nodes_view
from tracestore.store.read.snapshot import take_snapshot
from tracestore.store.read.table_snapshot import TableSnapshot

TABLE: Final = "dataset_rows"

MAX_KEPT_IDS: Final = 200_000
"""Ids kept in memory from one write to the next, about 150 bytes each; a larger dataset is read again."""

_COLUMNS: Final = ["dataset_id", "id", "version", "created_ns", "deleted", "digest"]

T = TypeVar("T")

Heads = dict[str, int]
"""Digest by id of the rows that are there."""


class HeadCache:
    """The heads of the dataset that was written last. Thread-safe; one writer at a time a dataset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._dataset_id = ""
        self._version = -1
        self._heads: Heads = {}

    def take(self, core: Core, dataset: Dataset) -> Heads:
        """Returns the heads as of a dataset's newest version; they are the caller's to change."""
        with self._lock:
            if self._dataset_id == dataset.dataset_id and self._version == dataset.version:
                self._dataset_id = ""
                return self._heads
        return read_heads(core, dataset)

    def put(self, dataset_id: str, version: int, heads: Heads) -> None:
        """Keeps heads for the next write."""
        if len(heads) <= MAX_KEPT_IDS:
            with self._lock:
                self._dataset_id, self._version, self._heads = dataset_id, version, heads


def read_heads(core: Core, dataset: Dataset) -> Heads:
    """Reads the heads of a dataset from its segments and memory; costs a pass over its project's datasets."""
    if not dataset.versions:
        return {}
    current = functools.partial(_current, core)
    with take_snapshot(
        core, (TABLE,), [dataset.project], None, None, NO_PATHS, current
    ) as snapshot:
        tables = [_of_dataset(table, dataset) for table in _tables(snapshot.tables[TABLE])]
    rows = pa.concat_tables(tables).sort_by("created_ns") if tables else None
    heads: Heads = {}
    if rows is None:
        return heads
    columns = [rows.column(name).to_pylist() for name in ("id", "deleted", "digest")]
    for row_id, deleted, digest in zip(*columns, strict=True):
        if deleted:
            heads.pop(row_id, None)
        else:
            heads[row_id] = digest
    return heads


def _current(core: Core, need: Need, capture: Callable[[], T]) -> tuple[T, None]:
    return nodes_view.current(core, need, capture), None


def _tables(view: TableSnapshot) -> list[pa.Table]:
    tables = [table.select(_COLUMNS) for table in view.memtable]
    for segment in view.segments:
        with SegmentFile(segment.local_path) as file:
            tables.append(file.columns(_COLUMNS))
    return tables


def _of_dataset(rows: pa.Table, dataset: Dataset) -> pa.Table:
    """Returns the rows of a dataset's committed versions, ids and digests as plain columns."""
    plain = rows.cast(
        pa.schema(
            [
                ("dataset_id", pa.string()),
                ("id", pa.string()),
                ("version", pa.int64()),
                ("created_ns", pa.int64()),
                ("deleted", pa.int64()),
                ("digest", pa.int64()),
            ]
        )
    )
    committed = pa.array([version.version for version in dataset.versions], pa.int64())
    ours = pc.equal(plain.column("dataset_id"), dataset.dataset_id)
    return plain.filter(pc.and_(ours, pc.is_in(plain.column("version"), value_set=committed)))
