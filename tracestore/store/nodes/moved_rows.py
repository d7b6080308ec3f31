"""Where rows of segments are in the segments that were made of them: found by their spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.segment.read import SegmentFile
from tracestore.store.catalog.segment_row import NewSegment, SegmentRow
from tracestore.store.core import Core
from tracestore.store.memory.span_keys import span_keys
from tracestore.store.patches.span_index import SpanIndex
from tracestore.store.segments.replaced_rows import RowNumbers, union

_KEYS: Final = ["trace_id", "span_id", "kind"]

BySegment = dict[str, RowNumbers]


class RowFinder:
    """The places in outputs of rows of inputs."""

    def __init__(
        self,
        core: Core,
        inputs: Sequence[SegmentRow],
        outputs: Sequence[NewSegment] | Sequence[SegmentRow],
    ) -> None:
        self._core = core
        self._inputs = {row.segment_id: row for row in inputs}
        self._outputs = [(output.segment_id, self._read(output.file_key)) for output in outputs]
        self._indexes = [SpanIndex.of(core.patches.seed, ids) for _, ids in self._outputs]

    def outputs(self, rows: Mapping[str, RowNumbers]) -> BySegment:
        """Returns the numbers of rows in the outputs; a row that a delete has taken is in none."""
        found: BySegment = {}
        for segment_id, numbers in rows.items():
            trace_id, span_id, kind = self._wanted(segment_id, numbers)
            keys = span_keys(trace_id, span_id, self._core.patches.seed)
            for (name, ids), index in zip(self._outputs, self._indexes, strict=True):
                at, places = index.find(keys)
                kinds = ids.column("kind").take(pa.array(places)).combine_chunks()
                same = pc.equal(kinds, kind.take(pa.array(at))).to_numpy(zero_copy_only=False)
                if same.any():
                    found.update(union(found, {name: np.unique(places[same])}))
        return found

    def spans(self, rows: Mapping[str, RowNumbers]) -> list[tuple[str, str]]:
        """Returns (trace id, span id) of rows of the inputs."""
        found: list[tuple[str, str]] = []
        for segment_id, numbers in rows.items():
            trace_id, span_id, _ = self._wanted(segment_id, numbers)
            found += zip(trace_id.to_pylist(), span_id.to_pylist(), strict=True)
        return found

    def _wanted(self, segment_id: str, numbers: RowNumbers) -> list[pa.Array]:
        wanted = self._read(self._inputs[segment_id].file_key).take(pa.array(numbers))
        return [wanted.column(name).combine_chunks() for name in _KEYS]

    def _read(self, file_key: str) -> pa.Table:
        with SegmentFile(self._core.segments.files.local(file_key)) as file:
            return file.columns(_KEYS)
