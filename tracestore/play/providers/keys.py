"""Keys of providers: read when a call is made, put into its headers, and kept out of everything that comes back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from tracestore.errors import ProviderError
from tracestore.play.providers.settings import ProviderSettings, is_file

MAX_KEY_BYTES: Final = 16 * 1024
"""Bytes of a file with a key: the longest tokens have a few thousand."""

MIN_SOUGHT_CHARACTERS: Final = 8
"""A shorter key is not sought in answers: it would be found where it is none."""

MARK: Final = "[key]"
"""What stands in place of a key."""


def has_key(settings: ProviderSettings) -> bool:
    """Returns whether a provider's key is there, True where it wants none."""
    if settings.key is None:
        return True
    try:
        return bool(_read(settings.key))
    except (OSError, UnicodeDecodeError):
        return False


def key_of(name: str, settings: ProviderSettings) -> str:
    """Returns a provider's key, empty where it wants none.

    Raises:
        ProviderError: naming the variable or file that has none.
    """
    if settings.key is None:
        return ""
    place = f"file {settings.key}" if is_file(settings.key) else f"variable {settings.key}"
    try:
        key = _read(settings.key)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ProviderError(
            f"cannot ask provider {name}: its key cannot be read from {place}: {why}", name
        ) from None
    if not key:
        raise ProviderError(
            f"cannot ask provider {name}: there is no key in {place}; set it for the server and start it again"
            if not is_file(settings.key)
            else f"cannot ask provider {name}: there is no key in {place}; write it there",
            name,
        )
    if not key.isascii() or not key.isprintable():
        raise ProviderError(
            f"cannot ask provider {name}: what {place} holds is no key; want one line of ASCII",
            name,
        )
    return key


def _read(key: str) -> str:
    if not is_file(key):
        return os.environ.get(key, "").strip()
    with Path(key).expanduser().open("rb") as file:
        return file.read(MAX_KEY_BYTES).decode().strip()


class Scrubber:
    """What takes a key out of texts, also where it comes in pieces.

    Args:
        key: the key; what is empty or short is not sought.
    """

    def __init__(self, key: str) -> None:
        self._key = key if len(key) >= MIN_SOUGHT_CHARACTERS else ""
        self._held: dict[Any, str] = {}

    def whole(self, text: str) -> str:
        """Returns a text without the key."""
        return text.replace(self._key, MARK) if self._key else text

    def part(self, stream: Any, text: str) -> str:
        """Returns what may be shown after one more part of a stream: all but a beginning of the key at its end."""
        if not self._key:
            return text
        text = self.whole(self._held.pop(stream, "") + text)
        held = next(
            (
                length
                for length in range(min(len(self._key) - 1, len(text)), 0, -1)
                if self._key.startswith(text[-length:])
            ),
            0,
        )
        if held:
            self._held[stream] = text[-held:]
            return text[:-held]
        return text

    def rest(self) -> dict[Any, str]:
        """Returns what was held back of each stream, at its end."""
        held, self._held = self._held, {}
        return held

    def value(self, value: Any) -> Any:
        """Returns a JSON value without the key."""
        if not self._key:
            return value
        text = json.dumps(value, ensure_ascii=False)
        escaped = json.dumps(self._key, ensure_ascii=False)[1:-1]
        return json.loads(text.replace(escaped, MARK)) if escaped in text else value
