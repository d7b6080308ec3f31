"""Memtables of another process: their rows are there, their builders are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from tracestore.store.catalog.path_ids import Leaf
from tracestore.store.follow.change import MemoryState
from tracestore.store.memory.generation import Generation
from tracestore.store.memory.memtable import MemoryMark, Memtable


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
