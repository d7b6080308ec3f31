"""Rows of segments that do not count any more, since a later version of their span is visible.

A row is *settled* when its later version is in a segment too: then the catalog knows it, and a rewrite drops it. Before
that it is only marked here, and replaying the log marks it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

RowNumbers = npt.NDArray[np.int64]

NO_ROWS: Final[RowNumbers] = np.empty(0, np.int64)


class ReplacedRows:
    """Row numbers by segment id, sorted. Not thread-safe: the store locks it.

    Attributes:
        all: every row that does not count; a mapping that is never changed, but replaced by another.
        settled: those of them that the catalog knows.
        changes: how often `all` was replaced.
    """

    def __init__(self) -> None:
        self.all: Mapping[str, RowNumbers] = {}
        self.settled: dict[str, RowNumbers] = {}
        self.changes = 0

    def load(self, settled: Mapping[str, RowNumbers]) -> None:
        """Takes what the catalog has in place of all that was known."""
        self.settled = dict(settled)
        self._show(dict(settled))

    def add(self, rows: Mapping[str, RowNumbers]) -> None:
        """Marks further rows."""
        if rows:
            self._show({**self.all, **union(self.all, rows)})

    def settle(self, rows: Mapping[str, RowNumbers]) -> None:
        """Notes that the catalog knows rows."""
        self.settled.update(union(self.settled, rows))
        self.add(rows)

    def show(self, changed: Mapping[str, RowNumbers], gone: Collection[str]) -> None:
        """Takes what another process has marked: all rows of some segments, and segments that are gone."""
        if changed or any(segment_id in self.all for segment_id in gone):
            left = {name: rows for name, rows in self.all.items() if name not in set(gone)}
            self._show({**left, **changed})

    def drop(self, segment_ids: Collection[str]) -> None:
        """Forgets segments that are gone."""
        gone = frozenset(segment_ids)
        for segment_id in gone & self.settled.keys():
            del self.settled[segment_id]
        if gone & self.all.keys():
            self._show({name: rows for name, rows in self.all.items() if name not in gone})

    def _show(self, rows: Mapping[str, RowNumbers]) -> None:
        self.all = rows
        self.changes += 1


def union(rows: Mapping[str, RowNumbers], more: Mapping[str, RowNumbers]) -> dict[str, RowNumbers]:
    """Returns, for each segment of `more`, its rows and those that it has already."""
    return {
        segment_id: np.union1d(rows.get(segment_id, NO_ROWS), numbers)
        for segment_id, numbers in more.items()
    }
