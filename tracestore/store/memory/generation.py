"""All memtables between two flushes: they are frozen, written and forgotten together.

A generation begins with a WAL file of its own; when it is in segments, the WAL mark moves to the
first file of the next one.
"""

from __future__ import annotations

import threading

from tracestore.store.catalog.path_ids import Owner
from tracestore.store.memory.memtable import Memtable


class Generation:
    """The memtables that take rows, or took them until they were frozen together. Thread-safe.

    Attributes:
        begin: the first WAL file that may hold something of it.
        next_sequence: the first WAL file that holds nothing of it; 0 until it is frozen.
    """

    def __init__(self, born_s: float, begin: int = 0) -> None:
        self.born_s = born_s
        self.begin = begin
        self.next_sequence = 0
        self._lock = threading.Lock()
        self._memtables: dict[Owner, Memtable] = {}

    def memtable(self, owner: Owner) -> Memtable:
        """Returns the memtable of a table and project, a new one if there is none."""
        with self._lock:
            memtable = self._memtables.get(owner)
            if memtable is None:
                memtable = self._memtables[owner] = Memtable(*owner)
            return memtable

    def find(self, owner: Owner) -> Memtable | None:
        """Returns the memtable of a table and project, None where there is none."""
        with self._lock:
            return self._memtables.get(owner)

    def memtables(self) -> list[Memtable]:
        """Returns all memtables in order of table and project."""
        with self._lock:
            return [self._memtables[owner] for owner in sorted(self._memtables)]

    @property
    def rows(self) -> int:
        """Returns the rows in all builders."""
        return sum(memtable.shredder.rows for memtable in self.memtables())

    @property
    def nbytes(self) -> int:
        """Returns the bytes held by all builders, approximately."""
        return sum(memtable.shredder.nbytes for memtable in self.memtables())
