"""A lane: one socket between the two processes that carries one request and its answer at a time.

A frame is the lengths of its two parts (u32be each), a JSON object, and bytes. A side that does not read makes the
other wait: the kernel's buffer and one queue of bounded size are all that lies between them.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, cast

_LENGTHS: Final = struct.Struct(">II")

MAX_HEAD_BYTES: Final = 1024 * 1024
"""Bytes of a frame's JSON: headers of a request have 64 KiB, ids of projects the rest."""

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""Bytes of a frame's second part: a request's body has 4 MiB, and answers are cut to PART_BYTES."""

PART_BYTES: Final = 4 * 1024 * 1024
"""Bytes of an answer in one frame: a batch of rows with texts has a few hundred kilobytes."""

_JOINED_BYTES: Final = 16 * 1024
"""Bytes of a body up to which it is copied behind its head, to be one system call."""

_KERNEL_BYTES: Final = 1024 * 1024
"""Bytes between the processes in the kernel: few turns of them for an answer that streams."""

_QUEUED_BYTES: Final = 1024 * 1024
"""Bytes received and not taken yet, from which on no more are read."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a lane."""

    head: dict[str, Any]
    body: memoryview


class LaneBrokenError(Exception):
    """The end of a lane: the other process is gone, or sent what is no frame."""


class Lane(asyncio.BufferedProtocol):
    """One end of a lane. Used from its event loop only.

    Attributes:
        is_open: whether the other end is there.
    """

    def __init__(self) -> None:
        self.is_open = True
        self._transport: asyncio.Transport
        # What is read next: the lengths, then a frame's two parts in one buffer of their size.
        self._lengths: tuple[int, int] | None = None
        self._buffer = bytearray(_LENGTHS.size)
        self._filled = 0
        self._frames: deque[Frame] = deque()
        self._queued_bytes = 0
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def over(cls, connected: socket.socket) -> Lane:
        """Returns the end of a lane over a connected socket."""
        connected.setblocking(False)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        loop = asyncio.get_running_loop()
        _, lane = await loop.create_connection(cls, sock=connected)
        return lane

    async def receive(self) -> Frame:
        """Returns the next frame; raises LaneBrokenError where none will come."""
        while not self._frames:
            if not self.is_open:
                raise LaneBrokenError("cannot read: the other process is gone")
            self._arrived.clear()
            await self._arrived.wait()
        frame = self._frames.popleft()
        self._queued_bytes -= len(frame.body)
        if self._queued_bytes < _QUEUED_BYTES and self.is_open:
            self._transport.resume_reading()
        return frame

    async def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Sends a frame; returns when the other side keeps up. Raises LaneBrokenError."""
        text = json.dumps(head, separators=(",", ":")).encode()
        start = _LENGTHS.pack(len(text), len(body)) + text
        if self.is_open:
            if len(body) < _JOINED_BYTES:
                self._transport.write(start + body)
            else:
                self._transport.write(start)
                self._transport.write(body)
            await self._writable.wait()
        if not self.is_open:
            raise LaneBrokenError("cannot write: the other process is gone")

    async def wait_closed(self) -> None:
        """Returns when the lane is closed, by either side."""
        await asyncio.shield(self._closed)

    def close(self) -> None:
        """Closes the lane at once; what was not sent is dropped."""
        self._transport.abort()
        self.connection_lost(None)

    # --- the event loop's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the socket."""
        # Not asked by its class: loops that are not asyncio's own have transports of other classes.
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Returns where the next bytes go: what comes is read into the place where it stays."""
        del sizehint
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Takes bytes that were read."""
        self._filled += nbytes
        if self._filled < len(self._buffer):
            return
        if self._lengths is None:
            self._begin_frame()
        else:
            self._end_frame(*self._lengths)

    def _begin_frame(self) -> None:
        head_bytes, body_bytes = _LENGTHS.unpack(self._buffer)
        if not 0 < head_bytes <= MAX_HEAD_BYTES or body_bytes > MAX_BODY_BYTES:
            self.close()
            return
        self._lengths = (head_bytes, body_bytes)
        self._buffer = bytearray(head_bytes + body_bytes)
        self._filled = 0

    def _end_frame(self, head_bytes: int, body_bytes: int) -> None:
        data, self._buffer = self._buffer, bytearray(_LENGTHS.size)
        self._lengths, self._filled = None, 0
        try:
            head = json.loads(data[:head_bytes])
        except (ValueError, RecursionError):
            head = None
        if not isinstance(head, dict):
            self.close()
            return
        self._frames.append(Frame(head, memoryview(data)[head_bytes:]))
        self._arrived.set()
        self._queued_bytes += body_bytes
        if self._queued_bytes >= _QUEUED_BYTES:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wakes whoever waits: nothing comes any more."""
        del exc
        self.is_open = False
        self._arrived.set()
        self._writable.set()
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """Makes senders wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Lets senders go on."""
        self._writable.set()
