"""Takes a provider's key out of an answer's bytes, whatever pieces they come in, and leaves all others as they are."""

from __future__ import annotations

from typing import Final

from tracestore.play.providers.keys import MIN_SOUGHT_CHARACTERS

_MARK: Final = b"[key]"


class KeyBytes:
    """A key that is sought in a stream of bytes.

    What takes its place is as long: the length of an answer is told before its bytes.

    Args:
        key: the key; what is empty or short is not sought.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode() if len(key) >= MIN_SOUGHT_CHARACTERS else b""
        self._mark = _MARK.ljust(len(self._key), b"*")[: len(self._key)]
        self._held = b""

    def part(self, given: bytes) -> bytes:
        """Returns what may be passed on after one more part: all but a beginning of the key at its end."""
        if not self._key:
            return given
        if not self._held and self._key[0] not in given:
            return given
        text = (self._held + given).replace(self._key, self._mark)
        held = next(
            (
                length
                for length in range(min(len(self._key) - 1, len(text)), 0, -1)
                if text.endswith(self._key[:length])
            ),
            0,
        )
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def rest(self) -> bytes:
        """Returns what was held back, at the end."""
        held, self._held = self._held, b""
        return held
