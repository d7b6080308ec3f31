"""Keys of recently stored spans, which tell a re-sent span from a new one in bounded memory.

Keys are 64-bit hashes under a secret seed, so that nobody can make two spans collide on purpose; by
chance two of 4 million keys meet a new one once in 4 * 10^12 spans. Two sets take turns: when the
younger is full or old, it becomes the elder and the elder is dropped.
"""

from __future__ import annotations

from tracestore.variant import Keys, KeySet, Mask, make_valid


class RecentKeys:
    """At least the last `max_keys` keys, remembered for at most twice `max_age_s`. Not thread-safe.

    Attributes:
        turns: how often the elder half was dropped.
    """

    def __init__(self, max_keys: int, max_age_s: float, now_s: float) -> None:
        self._max_keys = max_keys
        self._max_age_s = max_age_s
        self._young = KeySet()
        self._old = KeySet()
        self._young_since_s = now_s
        self.turns = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def nbytes(self) -> int:
        """Returns the bytes of both sets."""
        return self._young.nbytes + self._old.nbytes

    def add(self, keys: Keys, now_s: float) -> Mask:
        """Adds keys and returns which of them are new; of equal keys in one call, the first is."""
        self._take_turns(now_s)
        return self._young.add(make_valid(keys), self._old)

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
            self._young = KeySet()
            self._young_since_s = now_s
            self.turns += 1
