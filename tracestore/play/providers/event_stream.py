"""Server-sent events as they come over a connection, within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
"""Bytes of one event: an answer that comes whole, with an image in it."""

MAX_STREAM_BYTES: Final = 64 * 1024 * 1024
"""Bytes of all events of one answer; a token is some hundred bytes of them."""


class StreamTooLongError(ValueError):
    """A stream, or an event of it, that is longer than its bound."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; its name is empty where it has none."""

    name: str
    data: str


async def events_of(parts: AsyncIterator[bytes]) -> AsyncIterator[ServerEvent]:
    """Yields the events of a stream of bytes; an unfinished one at its end is none.

    Raises:
        StreamTooLongError: where it is longer than its bounds.
    """
    name, data, size, total = "", [], 0, 0
    rest = b""
    async for part in parts:
        total += len(part)
        lines = _lines(rest + part)
        rest = lines.pop()
        if total > MAX_STREAM_BYTES or size + len(rest) > MAX_EVENT_BYTES:
            raise StreamTooLongError("the answer is too long")
        for line in lines:
            if line:
                field, _, value = line.partition(b":")
                text = value.removeprefix(b" ").decode("utf-8", "replace")
                if field == b"data":
                    data.append(text)
                    size += len(value)
                elif field == b"event":
                    name = text
            else:
                if data:
                    yield ServerEvent(name, "\n".join(data))
                name, data, size = "", [], 0


def _lines(text: bytes) -> list[bytes]:
    """Returns whole lines and, last, what is left; a line ends with CR, LF or both."""
    # The line feed of a CR at the end may be the first byte of the next part.
    whole, held = (text[:-1], b"\r") if text.endswith(b"\r") else (text, b"")
    lines = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    lines[-1] += held
    return lines
