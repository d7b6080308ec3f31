"""Answers of identical requests of one key, kept for as long as a request asks. Off where none asks."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tracestore.bounded_cache import BoundedCache

HEADER: Final = "x-tracestore-cache"
"""`max-age=SECONDS` asks for it; an answer from the cache says `hit; age=SECONDS`."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes of all answers that are kept."""

MAX_ANSWER_BYTES: Final = 1024 * 1024

_ASKED: Final = re.compile(r"\s*max-age\s*=\s*(\d{1,9})\s*")

_TOLD: Final = (
    "anthropic-version",
    "anthropic-beta",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "accept",
)
"""Headers of a request that change its answer."""  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that is kept.

    Attributes:
        parts: its bytes as they came.
        made_s: when, by a clock that never goes back.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    parts: tuple[bytes, ...]
    made_s: float

    @property
    def age_s(self) -> int:
        """Returns its age in whole seconds."""
        return int(time.monotonic() - self.made_s)


class AnswerCache:
    """The answers that are kept.

    Args:
        max_age_s: the greatest age that a request may ask for; 0 for no cache.
    """

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._kept: BoundedCache[bytes, Kept] = BoundedCache(
            MAX_BYTES, lambda kept: 500 + sum(map(len, kept.parts))
        )

    def age_of(self, headers: Mapping[str, str]) -> float:
        """Returns the age that a request allows, 0 where it asks for no cache."""
        asked = _ASKED.fullmatch(headers.get(HEADER, ""))
        return min(float(asked[1]), self._max_age_s) if asked else 0.0

    def get(self, key: bytes, age_s: float) -> Kept | None:
        """Returns an answer that is not older, None where there is none."""
        kept = self._kept.get(key)
        return kept if kept is not None and time.monotonic() - kept.made_s <= age_s else None

    def put(
        self, key: bytes, status: int, headers: Iterable[tuple[str, str]], parts: Iterable[bytes]
    ) -> None:
        """Keeps an answer that came whole."""
        kept = Kept(status, tuple(headers), tuple(parts), time.monotonic())
        if sum(map(len, kept.parts)) <= MAX_ANSWER_BYTES:
            self._kept.put(key, kept)


def key_of(
    key_id: str, project: str, provider: str, path: str, headers: Mapping[str, str], body: bytes
) -> bytes:
    """Returns what tells a request from others; its parts have their lengths before them."""
    digest = hashlib.sha256()
    told = (headers.get(name, "") for name in _TOLD)
    for part in (key_id, project, provider, path, *told):
        digest.update(len(part.encode()).to_bytes(8, "little") + part.encode())
    digest.update(body)
    return digest.digest()
