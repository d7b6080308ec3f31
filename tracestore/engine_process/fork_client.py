"""The serving process's side of the fork server: one for all that the process serves."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from tracestore.engine_process.fork_server import MAX_MESSAGE_BYTES

log = structlog.get_logger("tracestore.engine")

_ALLOCATORS: Final = {
    "OPENBLAS_NUM_THREADS": "1",  # one thread at the time of a fork
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # Arrow's own allocators keep what each thread once needed
    # DuckDB's allocator keeps the addresses of what it has freed, which the bound on memory counts: after some
    # large statements 1,044 MB were taken of 1,088 while 319 were in use; without, 486.
    "DUCKDB_JE_MALLOC_CONF": "retain:false",
}
"""Variables of the environment that allocators of engine processes read at their start."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """What is called, from a thread of its own, as a child starts and ends."""

    started: Callable[[int], None]
    ended: Callable[[int | None], None]


class ForkServer:
    """A fork server that is started with the first child, and again where it ended. Thread-safe.

    It ends with this process, or earlier where the process ends in a way that runs no code: its socket closes.

    Args:
        module: has `main`, which a child runs.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._starting: deque[Watcher] = deque()
        self._children: dict[int, Watcher] = {}

    def start(self, settings: dict[str, Any], descriptors: list[int], watcher: Watcher) -> None:
        """Starts a child with settings and sockets; returns at once."""
        message = json.dumps({"start": settings}).encode()
        with self._lock:
            if self._control is None:
                self._control = self._start_server()
            self._starting.append(watcher)
            socket.send_fds(self._control, [message], descriptors)

    def kill(self, pid: int) -> None:
        """Ends a child, if it has not ended yet."""
        with self._lock:
            if self._control is not None and pid in self._children:
                with contextlib.suppress(OSError):
                    self._control.send(json.dumps({"kill": pid}).encode())

    def _start_server(self) -> socket.socket:
        # Whole messages, so that descriptors stay with theirs.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, *_isolation(), "-m", "tracestore.engine_process.fork_server"]
        with theirs:
            server = subprocess.Popen(  # noqa: S603 - our own program
                [*command, str(theirs.fileno()), self._module],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # A signal from a terminal goes to the serving process alone.
                process_group=0,
                env={**os.environ, **_ALLOCATORS},
            )
        threading.Thread(
            target=self._hear, args=(ours, server), name="engine-forks", daemon=True
        ).start()
        return ours

    def _hear(self, control: socket.socket, server: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError):
            while data := control.recv(MAX_MESSAGE_BYTES):
                self._note(json.loads(data))
        status = server.wait()
        log.warning("fork server gone", status=status)
        with self._lock:
            self._control = None
            control.close()
            orphans = [*self._starting, *self._children.values()]
            self._starting.clear()
            self._children.clear()
        for watcher in orphans:
            watcher.ended(None)

    def _note(self, message: dict[str, int]) -> None:
        if "started" in message:
            with self._lock:
                watcher = self._starting.popleft()
                self._children[message["started"]] = watcher
            watcher.started(message["started"])
        else:
            with self._lock:
                watcher = self._children.pop(message["ended"])
            watcher.ended(message["status"])


@functools.cache
def fork_server(module: str) -> ForkServer:
    """Returns the fork server of this process for a module."""
    return ForkServer(module)


def _isolation() -> list[str]:
    """Returns the interpreter's options that keep the working folder off the path, where they were given."""
    return ["-P"] if sys.flags.safe_path else []
