"""Sessions of browsers: a key is asked for once, and a cookie stands for it while the key lives."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from typing import Final

from tracestore.store import ApiKey, KeyRing

COOKIE: Final = "tracestore_session"
"""HttpOnly and SameSite=Strict: no script reads it, no other site sends it."""

MAX_SESSIONS: Final = 10_000
"""Sessions kept at once; the one that was used longest ago ends first."""

_TOKEN_BYTES: Final = 32


class Sessions:
    """The sessions of browsers over a ring of keys, in memory: a restart ends them. Thread-safe.

    Args:
        keys: the ring; None where nobody is asked for a key.
    """

    def __init__(self, keys: KeyRing | None) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._key_texts: OrderedDict[str, str] = OrderedDict()

    @property
    def keys_required(self) -> bool:
        """Returns whether requests need a key."""
        return self._keys is not None

    def begin(self, key_text: str) -> tuple[str, ApiKey] | None:
        """Returns a new session's token with its key, None where the text is no live key's."""
        key = self._keys.check(key_text) if self._keys is not None else None
        if key is None:
            return None
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with self._lock:
            self._key_texts[token] = key_text
            while len(self._key_texts) > MAX_SESSIONS:
                self._key_texts.popitem(last=False)
        return token, key

    def key_of(self, token: str) -> ApiKey | None:
        """Returns the live key of a session, None where the session or its key has ended."""
        with self._lock:
            key_text = self._key_texts.get(token)
            if key_text is not None:
                self._key_texts.move_to_end(token)
        if key_text is None or self._keys is None:
            return None
        key = self._keys.check(key_text)
        if key is None:
            self.end(token)
        return key

    def text_of(self, token: str) -> str | None:
        """Returns the text of a session's key, None where the session has ended."""
        with self._lock:
            return self._key_texts.get(token)

    def end(self, token: str) -> None:
        """Ends a session; one that is not there has ended."""
        with self._lock:
            self._key_texts.pop(token, None)
