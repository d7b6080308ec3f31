"""Where the rows of a selection lie: the numbers of rows in segments, for what changes or removes them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from tracestore.arrow_compute import pc
from tracestore_query.bind.late_materialization import ROW_ID
from tracestore_query.explore.selection import Selection
from tracestore_query.query import Query

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FoundRows:
    """The rows of a selection.

    Attributes:
        numbers: row numbers, sorted and each once, by segment id.
        in_memory: how many more lie in no segment yet.
    """

    numbers: dict[str, Numbers]
    in_memory: int

    @property
    def rows(self) -> int:
        """Returns how many rows there are."""
        return self.in_memory + sum(map(len, self.numbers.values()))


def find_rows(
    query: Query,
    selection: Selection,
    params: Any = None,
    *,
    projects: Collection[str] | None,
    timeout_s: float | None,
) -> FoundRows:
    """Returns where the rows of a selection lie now.

    Raises:
        QueryError: where the condition is none, or takes too long.
    """
    sql = f"SELECT 1 AS one FROM {selection.table} WHERE {selection.condition()}"
    pieces: dict[str, list[Numbers]] = {}
    in_memory = 0
    with query.sql(sql, params, projects=projects, timeout_s=timeout_s, row_ids=True) as result:
        for batch in result:
            ids = batch.column(ROW_ID)
            files = pc.struct_field(ids, "file").dictionary_encode()
            rows = pc.struct_field(ids, "row").to_numpy(zero_copy_only=False)
            places = files.indices.to_numpy(zero_copy_only=False)
            for at, file in enumerate(files.dictionary.to_pylist()):
                numbers = rows[places == at].astype(np.int64)
                if file:
                    # A copy of a bucket's file has a name of its folder before the segment's id, which has no "-".
                    segment_id = PurePath(file).stem.rpartition("-")[2]
                    pieces.setdefault(segment_id, []).append(numbers)
                else:
                    in_memory += len(numbers)
    return FoundRows(
        {name: np.unique(np.concatenate(each)) for name, each in pieces.items()}, in_memory
    )
