"""One engine process as the serving process sees it: its sockets, its lanes, its signs of life."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from tracestore.engine_process.lane import Lane, LaneBrokenError
from tracestore.engine_process.state_channel import StateServer
from tracestore.store import ChangeFeed

LANE: Final = b"l"
STOP: Final = b"s"
"""What the serving process says over the control socket, a lane's socket beside the first."""

MAX_SIGN_BYTES: Final = 64 * 1024
"""Bytes of signs of life that have no line end yet; a line names some requests."""


@dataclass(slots=True)
class EngineProcess:
    """One engine process.

    Attributes:
        control: over which it says that it is alive, and takes lanes.
        pid: None until it is started.
        status: how it has ended.
        gone: set when it has ended.
        ready: whether it has said that it answers.
        ended: whether it is gone, or will be in a moment.
        overdue: requests that do not stop though their time is over: because of them it is killed.
        under_way: requests that are being answered.
        victims: those that were when it ended; None until one of them has seen it.
    """

    control: socket.socket
    state: StateServer
    pid: int | None = None
    status: int | None = None
    gone: threading.Event = field(default_factory=threading.Event)
    ready: bool = False
    ended: bool = False
    overdue: frozenset[int] = frozenset()
    under_way: set[int] = field(default_factory=set)
    victims: frozenset[int] | None = None
    seen_s: float = field(default_factory=time.monotonic)
    _free: list[Lane] = field(default_factory=list)
    _signs: bytearray = field(default_factory=bytearray)

    def end_streams(self) -> None:
        """Has streams that do not end by themselves end: the server stops."""
        with contextlib.suppress(OSError):
            self.control.send(STOP)

    async def lane(self) -> Lane:
        """Returns a free lane, a new one where there is none; raises LaneBrokenError where the process is gone."""
        while self._free:
            lane = self._free.pop()
            if lane.is_open:
                return lane
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self.control, [LANE], [theirs.fileno()])
        except OSError:
            ours.close()
            raise LaneBrokenError("cannot ask: the engine process is gone") from None
        return await Lane.over(ours)

    def give_back(self, lane: Lane) -> None:
        """Takes a lane whose answer has been read to its end."""
        if lane.is_open and not self.ended:
            self._free.append(lane)
        else:
            lane.close()

    def close_lanes(self) -> None:
        """Closes the lanes that no request uses; on their event loop, which is about to end."""
        while self._free:
            self._free.pop().close()

    def read_signs(self) -> bool:
        """Takes signs of life that have come; returns False where the process has closed its side."""
        try:
            data = self.control.recv(4096)
        except OSError:
            data = b""
        self._signs += data
        if not data or len(self._signs) > MAX_SIGN_BYTES:
            return False
        *lines, rest = bytes(self._signs).split(b"\n")
        self._signs = bytearray(rest)
        for line in lines:
            sign = _parsed(line)
            if sign is None:
                return False
            self.seen_s = time.monotonic()
            self.ready = self.ready or sign.get("ready") is True
            overdue = sign.get("overdue", [])
            if isinstance(overdue, list):
                self.overdue = frozenset(number for number in overdue if isinstance(number, int))
        return True

    def close(self) -> None:
        """Closes what this side holds of it; waits for its changes to be told."""
        self.ended = True
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)
        self.control.close()
        # Told by a thread: the store may be exporting rows for it.
        threading.Thread(target=self.state.close, daemon=True).start()


def _parsed(line: bytes) -> dict[str, object] | None:
    try:
        sign = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return sign if isinstance(sign, dict) else None


def make_pair(feed: ChangeFeed) -> tuple[EngineProcess, socket.socket, socket.socket]:
    """Returns a process that is not started yet, and its own ends of two sockets: control and state."""
    control, its_control = socket.socketpair()
    state, its_state = socket.socketpair()
    return EngineProcess(control, StateServer(feed, state)), its_control, its_state
