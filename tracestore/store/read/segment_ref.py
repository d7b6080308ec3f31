"""One segment of a snapshot: where its file is, and what it holds."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from tracestore.segment.read import SegmentFile
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog.path_ids import (
    Leaf,
    OwnedPaths,
    column_of,
    leaf_of,
    types_by_path,
)
from tracestore.store.catalog.segment_row import SegmentPaths, SegmentRow
from tracestore.store.core import Core
from tracestore.store.segments.replaced_rows import NO_ROWS, RowNumbers
from tracestore.store.segments.words_cache import WordRows
from tracestore.variant import OVERFLOW, is_item_column


class SegmentRef:
    """A segment to read. Times are nanoseconds since 1970, both included.

    Attributes:
        replaced: numbers of the rows that do not count, since a later version of their span is visible.
    """

    def __init__(self, core: Core, row: SegmentRow, replaced: RowNumbers = NO_ROWS) -> None:
        # No more than this: a snapshot makes one for each of its segments, and few are asked anything.
        self._core = core
        self.row = row
        self.replaced = replaced

    def __repr__(self) -> str:
        return f"SegmentRef({self.row.file_key!r}, rows={self.rows})"

    @property
    def segment_id(self) -> str:
        """Returns the ULID in the file's name."""
        return self.row.segment_id

    @property
    def table(self) -> str:
        """Returns the table."""
        return self.row.table

    @property
    def project(self) -> str:
        """Returns the project."""
        return self.row.project

    @property
    def rows(self) -> int:
        """Returns how many rows it has, those that do not count included."""
        return self.row.rows

    @property
    def counting_rows(self) -> int:
        """Returns how many rows count."""
        return self.row.rows - len(self.replaced)

    @property
    def bytes(self) -> int:
        """Returns the bytes of its file."""
        return self.row.bytes

    @property
    def min_time_ns(self) -> int:
        """Returns the least time of its rows."""
        return self.row.min_time_ns

    @property
    def max_time_ns(self) -> int:
        """Returns the greatest time of its rows."""
        return self.row.max_time_ns

    @property
    def is_by_time(self) -> bool:
        """Returns whether its rows are in the order of their times."""
        return not self.row.cluster_columns

    @property
    def uri(self) -> str:
        """Returns the local path of the segment file; fetches it from an object store if need be."""
        return self._core.segments.files.local_name(self.row.file_key)

    @property
    def local_path(self) -> Path:
        """Returns the same as a path."""
        return self._core.segments.files.local(self.row.file_key)

    @property
    def tail_uri(self) -> str | None:
        """Returns the local path of the tail sidecar, None where there is none."""
        key = self.tail_key
        return None if key is None else self._core.segments.files.local_name(key)

    @property
    def tail_key(self) -> str | None:
        """Returns the key of the tail sidecar in the store, None where there is none."""
        if self.row.tail_bytes is None:
            return None
        return self._core.segments.files.tail_key(self.row.file_key)

    def kept_groups(self, name: str) -> pa.Table | None:
        """Returns groups of its rows that a query kept under a name, None where none did."""
        return self._core.groups.get(self.segment_id, name)

    def keep_groups(self, name: str, groups: pa.Table) -> None:
        """Keeps groups of its rows under a name, as long as there is room and the segment lives."""
        self._core.groups.put(self.segment_id, name, groups)

    def rows_with(self, words: Sequence[str]) -> WordRows | None:
        """Returns the rows that may hold all of some words: no other does. None where any row may."""
        return self._core.words.rows_of(self.row, words)

    @functools.cached_property
    def leaf_columns(self) -> frozenset[str]:
        """Returns the names of the segment's leaf columns, without its item columns."""
        return frozenset(name for name in self._columns if not is_item_column(name))

    @functools.cached_property
    def item_columns(self) -> frozenset[str]:
        """Returns the names of the segment's item columns."""
        return frozenset(name for name in self._columns if is_item_column(name))

    @functools.cached_property
    def _columns(self) -> tuple[str, ...]:
        return tuple(map(column_of, self.leaf_rows))

    @functools.cached_property
    def leaf_rows(self) -> Mapping[Leaf, int]:
        """Returns the rows of each leaf that has a column; the file tells of what the catalog has dropped."""
        own = self._listed()
        if own is None:
            return self._leaves_of_file()
        paths = self._paths()
        counts = zip(own.leaf_ids.tolist(), own.leaf_rows.tolist(), strict=True)
        return {paths.leaf(path_id): rows for path_id, rows in counts}

    @functools.cached_property
    def tail_leaves(self) -> Mapping[Leaf, int]:
        """Returns the rows of each leaf in the tail.

        The sidecar tells of what the catalog does not list: paths beyond its bound, and those of a segment that
        was replaced while a snapshot reads it.
        """
        if self.row.tail_bytes is None:
            return {}
        own = self._listed()
        if own is None or self.row.unlisted_paths:
            return self._leaves_of_sidecar()
        paths = self._paths()
        counts = zip(own.tail_ids.tolist(), own.tail_rows.tolist(), strict=True)
        return {paths.leaf(path_id): rows for path_id, rows in counts}

    @functools.cached_property
    def tail_paths(self) -> Mapping[str, frozenset[str]]:
        """Returns the types in the tail by path text."""
        return {path: frozenset(types) for path, types in types_by_path(self.tail_leaves).items()}

    def _paths(self) -> OwnedPaths:
        return self._core.catalog.paths.of((self.table, self.project))

    def _listed(self) -> SegmentPaths | None:
        """Returns the segment's paths, None where the catalog has dropped it."""
        return self._core.segment_paths.get([self.row]).get(self.segment_id)

    def _leaves_of_file(self) -> dict[Leaf, int]:
        fixed = {*SEGMENT_TABLES[self.table].columns, OVERFLOW}
        with SegmentFile(self._core.segments.files.local(self.row.file_key)) as file:
            names = [name for name in file.schema.names if name not in fixed]
            columns = file.columns(names)
        return {
            leaf_of(name): len(column) - column.null_count
            for name, column in zip(names, columns.columns, strict=True)
        }

    def _leaves_of_sidecar(self) -> dict[Leaf, int]:
        files = self._core.segments.files
        with SegmentFile(files.local(files.tail_key(self.row.file_key))) as file:
            leaves = file.columns(["path", "type"])
        counts = leaves.group_by(["path", "type"]).aggregate([([], "count_all")])
        columns = [counts.column(name).to_pylist() for name in ("path", "type", "count_all")]
        return {(path, leaf_type): rows for path, leaf_type, rows in zip(*columns, strict=True)}
