"""Frames between this process and the sandbox: four bytes of length, then JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tracestore.sandbox.bounds import MAX_FRAME_BYTES

HEAD_BYTES: Final = 4

Read = Callable[[int], bytes]
"""Returns up to that many bytes, none at the end."""


class FrameError(Exception):
    """A frame that is too long, cut off or no JSON object."""


def encoded(message: Mapping[str, Any]) -> bytes:
    """Returns a message as a frame; raises FrameError where it is too long or no JSON."""
    try:
        body = json.dumps(message, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"it is not JSON: {error}") from None
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError(f"it has {len(body)} bytes as JSON; want at most {MAX_FRAME_BYTES}")
    return len(body).to_bytes(HEAD_BYTES, "little") + body


def read(source: Read) -> dict[str, Any] | None:
    """Returns the next message, None at the end."""
    head = _exactly(source, HEAD_BYTES)
    if not head:
        return None
    size = int.from_bytes(head, "little")
    if size > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {size} bytes")
    try:
        message = json.loads(_exactly(source, size))
    except (ValueError, RecursionError) as error:
        raise FrameError("a frame that is no JSON") from error
    if not isinstance(message, dict):
        raise FrameError("a frame that is no object")
    return message


def _exactly(source: Read, size: int) -> bytes:
    parts: list[bytes] = []
    left = size
    while left:
        part = source(left)
        if not part:
            if parts:
                raise FrameError("a frame that ends early")
            return b""
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
