"""Segment ids: 26 characters, sorted by creation, never going backwards."""

from __future__ import annotations

import secrets
import threading
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS: Final = 80

# A step is random too: after the clock went back, an id that was used once and is not known any more
# must not come again.
_STEP_BITS: Final = 64


class UlidMaker:
    """A maker of ids that grow strictly, also when the clock goes backwards. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def start_after(self, last: str | None) -> None:
        """Makes later ids greater than `last`."""
        if last is not None:
            with self._lock:
                self._last = max(self._last, _decode(last))

    def make(self, now_ns: int) -> str:
        """Returns a new id, greater than every earlier one and than those that it was told of."""
        with self._lock:
            fresh = ((max(now_ns, 0) // 1_000_000) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
            self._last = max(fresh, self._last + 1 + secrets.randbits(_STEP_BITS))
            return _encode(self._last)


def _encode(value: int) -> str:
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -5, -5))


def _decode(text: str) -> int:
    value = 0
    for character in text:
        value = (value << 5) | _ALPHABET.index(character)
    return value
