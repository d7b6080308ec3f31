"""The patched rows of one segment of a snapshot, for the fields that a query reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import pyarrow as pa

from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.core import Core
from tracestore.store.patches.log import PatchView
from tracestore.store.patches.rows import Overlay
from tracestore.store.read.segment_ref import SegmentRef


@dataclass(frozen=True, slots=True)
class SegmentPatches:
    """The rows of a segment whose fields some patch changes, with the patches merged. Thread-safe.

    Attributes:
        segment: the segment.
        fields: the fields that are read.
        overlay: the patched rows, with all leaves of the fields.
    """

    segment: SegmentRef
    fields: frozenset[str]
    overlay: Overlay
    _core: Core

    @classmethod
    def of(
        cls, core: Core, patches: PatchView, segment: SegmentRef, fields: frozenset[str]
    ) -> SegmentPatches | None:
        """Returns the patched rows of a segment, None where no patch changes one of the fields."""
        project_patches = patches.by_project.get(segment.project)
        if project_patches is None or not project_patches.fields & fields:
            return None
        path = segment.local_path
        by_row = core.patch_lookup.patches_by_row(segment.segment_id, path, project_patches)
        if not by_row:
            return None
        overlay = core.merged.overlay(
            segment.segment_id, path, segment.leaf_columns, by_row, fields
        )
        return None if overlay is None else cls(segment, fields, overlay, core)

    def has_leaf(self, column: str) -> bool:
        """Returns whether a patched row may have a leaf, by the name of the leaf's column."""
        return column in self.overlay.table.schema.names

    def column(self, name: str) -> pa.Array | None:
        """Returns a leaf's column over all rows of the segment, with the patches merged.

        None where the column is larger than what is kept of all columns together. The leaf must have a column
        in the segment or in the overlay; a leaf of the tail has none.
        """
        return self._core.merged.column(
            self.segment.segment_id, self.segment.local_path, self.fields, self.overlay, name
        )

    def rows_between(self, start_ns: int, stop_ns: int) -> tuple[int, int]:
        """Returns the half-open range of the segment's rows whose time is in [start_ns, stop_ns)."""
        time_column = SEGMENT_TABLES[self.segment.table].time_ns_column
        return self._core.merged.rows_between(
            self.segment.segment_id, self.segment.local_path, time_column, start_ns, stop_ns
        )

    def of_traces(self, trace_ids: Collection[str]) -> SegmentPatches | None:
        """Returns the patched rows of some traces, None where there are none."""
        overlay = self.overlay.of_traces(trace_ids)
        return None if overlay is None else replace(self, overlay=overlay)
