"""Memtables of another process, on this machine or another: their rows are there, their builders are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.store.catalog.path_ids import Leaf
from tracestore.store.memory.generation import Generation
from tracestore.store.memory.memtable import MemoryMark, Memtable


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The visible rows of one memtable.

    Attributes:
        number: names the memtable among all that the writer ever had.
        table, project: whose rows they are.
        visible: rows of the builder that count or are hidden; it only grows.
        chunks: numbers of the tables that hold the rows, in order.
        leaves: every leaf of the builder.
        counts: rows of each leaf.
    """

    number: int
    table: str
    project: str
    visible: int
    chunks: tuple[int, ...]
    leaves: tuple[Leaf, ...]
    counts: npt.NDArray[np.int64]


class MirroredMemtable(Memtable):
    """The visible rows of a memtable of the writer, as of one moment. Readers see no difference."""

    def __init__(self, state: MemoryState, chunks: Sequence[pa.Table]) -> None:
        # Nothing of a memtable that takes rows: there is no builder and nothing that waits.
        self.number = state.number
        self.table = state.table
        self.project = state.project
        self.visible = state.visible
        self._tables = list(chunks)
        self._leaves = state

    def mark(self) -> MemoryMark:
        """Returns what a snapshot shows: all rows."""
        return MemoryMark(self, self.visible, 0)

    def read(self, stop: int, replaced: int = 0) -> list[pa.Table]:
        """Returns the rows; a snapshot asks for all that are visible."""
        if stop != self.visible or replaced:
            raise AssertionError(f"BUG: rows of a mirror up to {stop}; want {self.visible}")
        return self._tables

    def leaf_counts(self) -> dict[Leaf, int]:
        """Returns rows by leaf over the writer's builder."""
        state = self._leaves
        return dict(zip(state.leaves, state.counts.tolist(), strict=True))


class PeerMemtable(MirroredMemtable):
    """The visible rows of a memtable of another node.

    Attributes:
        node_id: whose it is.
        begin: the first file of that node's log that may hold its rows: when the log's mark is beyond it, they are in
            segments.
        replacing: rows of segments that versions here replaced, by segment id.
        aside: rows that are not shown: they are compared with those of other nodes alone.
    """

    def __init__(
        self,
        state: MemoryState,
        chunks: Sequence[pa.Table],
        aside: Sequence[pa.Table],
        node_id: str,
        begin: int,
        replacing: Mapping[str, npt.NDArray[np.int64]],
    ) -> None:
        super().__init__(state, chunks)
        self.aside = list(aside)
        self.node_id = node_id
        self.begin = begin
        self.replacing = dict(replacing)

    def shows(
        self, state: MemoryState, chunks: Sequence[pa.Table], aside: Sequence[pa.Table]
    ) -> bool:
        """Returns whether it shows the rows of a state, in the same tables."""
        own = self._leaves
        return (own.number, own.visible, own.chunks, len(self.aside)) == (
            state.number,
            state.visible,
            state.chunks,
            len(aside),
        ) and all(
            one is other
            for one, other in zip((*self._tables, *self.aside), (*chunks, *aside), strict=True)
        )


class MirroredGeneration(Generation):
    """The writer's memtables of all generations, the oldest first."""

    def __init__(self, born_s: float, memtables: Sequence[MirroredMemtable]) -> None:
        super().__init__(born_s)
        self._mirrors = list(memtables)

    def memtables(self) -> list[Memtable]:
        """Returns all memtables."""
        return list(self._mirrors)

    def numbers(self) -> set[int]:
        """Returns the numbers of the memtables."""
        return {mirror.number for mirror in self._mirrors}

    @property
    def rows(self) -> int:
        """Returns the rows that are visible."""
        return sum(len(chunk) for mirror in self._mirrors for chunk in mirror.read(mirror.visible))

    @property
    def nbytes(self) -> int:
        """Returns the bytes that are shared with the writer."""
        return sum(
            chunk.nbytes for mirror in self._mirrors for chunk in mirror.read(mirror.visible)
        )


def mirrored(
    states: Sequence[MemoryState], chunks: Mapping[int, pa.Table]
) -> list[MirroredMemtable]:
    """Returns memtables with the rows that their states name."""
    return [
        MirroredMemtable(state, [chunks[number] for number in state.chunks]) for state in states
    ]
