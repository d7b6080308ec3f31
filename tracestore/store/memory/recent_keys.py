"""Keys of recently stored spans, which tell a re-sent span from a new one in bounded memory.

Keys are 64-bit hashes under a secret seed, so that nobody can make two spans collide on purpose; by
chance two of 4 million keys meet a new one once in 4 * 10^12 spans. Two open-addressing tables take
turns: when the younger is full or old, it becomes the elder and the elder is dropped. All work is
vectorized: a request of 1,000 spans costs about 0.1 ms.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_EMPTY: Final = np.uint64(0)
_GONE: Final = np.uint64(1)  # a removed key: probing goes on behind it
_FIRST_SLOTS: Final = 4096


def make_valid(keys: Keys) -> Keys:
    """Returns keys without the two values that mean an empty and a freed slot."""
    return np.where(keys <= _GONE, keys + np.uint64(2), keys)


class KeyTable:
    """A hash set of keys, at most half full."""

    def __init__(self) -> None:
        self._slots: Keys = np.zeros(_FIRST_SLOTS, np.uint64)
        self._used = 0  # slots that are not empty, removed keys too

    def __len__(self) -> int:
        return self._used

    @property
    def nbytes(self) -> int:
        """Returns the bytes of the table."""
        return self._slots.nbytes

    def contains(self, keys: Keys) -> Mask:
        """Returns which keys are in the set."""
        mask = np.uint64(len(self._slots) - 1)
        is_member = np.zeros(len(keys), np.bool_)
        waiting = np.arange(len(keys))
        slot = keys & mask
        while len(waiting):
            taken_by = self._slots[slot]
            hit = taken_by == keys[waiting]
            is_member[waiting[hit]] = True
            going = ~hit & (taken_by != _EMPTY)
            waiting = waiting[going]
            slot = (slot[going] + np.uint64(1)) & mask
        return is_member

    def insert(self, keys: Keys) -> None:
        """Adds keys that are distinct and not in the set."""
        self._grow(self._used + len(keys))
        self._place(keys)
        self._used += len(keys)

    def remove(self, keys: Keys) -> None:
        """Takes out keys; those not in the set are fine."""
        mask = np.uint64(len(self._slots) - 1)
        waiting = keys
        slot = keys & mask
        while len(waiting):
            taken_by = self._slots[slot]
            hit = taken_by == waiting
            self._slots[slot[hit]] = _GONE
            going = ~hit & (taken_by != _EMPTY)
            waiting = waiting[going]
            slot = (slot[going] + np.uint64(1)) & mask

    def _place(self, keys: Keys) -> None:
        mask = np.uint64(len(self._slots) - 1)
        waiting = keys
        slot = keys & mask
        while len(waiting):
            free = self._slots[slot] == _EMPTY
            # Of several keys that want one free slot the last written wins; the others see it taken.
            self._slots[slot[free]] = waiting[free]
            going = self._slots[slot] != waiting
            waiting = waiting[going]
            slot = (slot[going] + np.uint64(1)) & mask

    def _grow(self, used: int) -> None:
        size = len(self._slots)
        if used * 2 <= size:
            return
        old = self._slots
        while used * 2 > size:
            size *= 2
        live = old[old > _GONE]
        self._slots = np.zeros(size, np.uint64)
        self._used = len(live)
        self._place(live)


class RecentKeys:
    """At least the last `max_keys` keys, remembered for at most twice `max_age_s`. Not thread-safe.

    Attributes:
        turns: how often the elder half was dropped.
    """

    def __init__(self, max_keys: int, max_age_s: float, now_s: float) -> None:
        self._max_keys = max_keys
        self._max_age_s = max_age_s
        self._young = KeyTable()
        self._old = KeyTable()
        self._young_since_s = now_s
        self.turns = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def nbytes(self) -> int:
        """Returns the bytes of both tables."""
        return self._young.nbytes + self._old.nbytes

    def add(self, keys: Keys, now_s: float) -> Mask:
        """Adds keys and returns which of them are new; of equal keys in one call, the first is."""
        self._take_turns(now_s)
        keys = make_valid(keys)
        _, first = np.unique(keys, return_index=True)
        fresh = np.zeros(len(keys), np.bool_)
        fresh[first] = True
        fresh &= ~self._young.contains(keys)
        if len(self._old):
            fresh &= ~self._old.contains(keys)
        self._young.insert(keys[fresh])
        return fresh

    def remove(self, keys: Keys) -> None:
        """Forgets keys: their spans were deleted, or were never stored."""
        keys = make_valid(keys)
        self._young.remove(keys)
        self._old.remove(keys)

    def _take_turns(self, now_s: float) -> None:
        full = len(self._young) >= self._max_keys
        aged = now_s - self._young_since_s >= self._max_age_s
        if full or aged:
            self._old = self._young
            self._young = KeyTable()
            self._young_since_s = now_s
            self.turns += 1
