"""The rows of a memtable by the keys of their spans: where an earlier version of a span stands.

Most spans come once. So keys are only noted, 8 bytes a row, until a span comes again for the first time; from then
on a hash table says the row of each key.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tracestore.variant import Keys, make_valid

RowNumbers = npt.NDArray[np.int64]

NO_ROW: Final = -1
"""Stands where a key has no row."""

_EMPTY: Final = np.uint64(0)
_FIRST_SLOTS: Final = 4096


class SpanRows:
    """The newest row of each key. One thread at a time."""

    def __init__(self) -> None:
        self._noted: list[tuple[Keys, RowNumbers]] = []
        self._slots: Keys = np.empty(0, np.uint64)
        self._rows: RowNumbers = np.empty(0, np.int64)
        self._used = 0

    def note(self, keys: Keys, rows: RowNumbers) -> None:
        """Notes the rows of keys, of which each stands there once; a later row takes the place of an earlier one."""
        if len(keys):
            self._noted.append((keys, rows))

    def find(self, keys: Keys) -> RowNumbers:
        """Returns the row of each key, NO_ROW where there is none."""
        for noted_keys, rows in self._noted:
            self._put(make_valid(noted_keys), rows)
        self._noted = []
        found = np.full(len(keys), NO_ROW, np.int64)
        if not self._used:
            return found
        keys = make_valid(keys)
        mask = np.uint64(len(self._slots) - 1)
        waiting = np.arange(len(keys))
        slot = keys & mask
        while len(waiting):
            taken_by = self._slots[slot]
            hit = taken_by == keys[waiting]
            found[waiting[hit]] = self._rows[slot[hit]]
            going = ~hit & (taken_by != _EMPTY)
            waiting = waiting[going]
            slot = (slot[going] + np.uint64(1)) & mask
        return found

    def _put(self, keys: Keys, rows: RowNumbers) -> None:
        self._grow(self._used + len(keys))
        mask = np.uint64(len(self._slots) - 1)
        slot = keys & mask
        while len(keys):
            free = self._slots[slot] == _EMPTY
            # Of several keys that want one free slot the last written wins; the others see it taken.
            self._slots[slot[free]] = keys[free]
            done = self._slots[slot] == keys
            self._rows[slot[done]] = rows[done]
            self._used += int(np.count_nonzero(done & free))
            keys, rows = keys[~done], rows[~done]
            slot = (slot[~done] + np.uint64(1)) & mask

    def _grow(self, used: int) -> None:
        size = max(len(self._slots), _FIRST_SLOTS)
        while used * 2 > size:
            size *= 2
        if size == len(self._slots):
            return
        live = self._slots != _EMPTY
        keys, rows = self._slots[live], self._rows[live]
        self._slots, self._rows = np.zeros(size, np.uint64), np.zeros(size, np.int64)
        self._used = 0
        if len(keys):
            self._put(keys, rows)
