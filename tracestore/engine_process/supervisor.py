"""Starts the engine process, watches it, ends it where it does not stop, and starts it again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import selectors
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from tracestore.engine_process.engine import EngineSettings
from tracestore.engine_process.fork_client import ForkServer, Watcher
from tracestore.engine_process.process import EngineProcess, make_pair
from tracestore.store import ChangeFeed

log = structlog.get_logger("tracestore.engine")

SILENT_S: Final = 5.0
"""Seconds without a sign of life after which a process that answers requests is ended: its interpreter is stuck."""

START_S: Final = 60.0
"""Seconds that a process has to be ready: the first one imports the engine, and a machine may be busy."""

WAIT_READY_S: Final = 30.0
"""Seconds for which a request waits for a process that is being started."""

END_S: Final = 10.0
"""Seconds that a process which was killed may take to be gone."""

_LOOK_S: Final = 0.25


class EngineUnavailableError(Exception):
    """The absence of an engine process that answers; the request may be sent again in a moment."""


class Supervisor:
    """The keeper of the engine process. A thread of its own watches; requests come from one event loop.

    Args:
        settings: of each process.
        server: starts processes.
        changes: returns the store's changes for one more process.

    Attributes:
        restarts: processes started in place of one that ended.
        killed: processes ended because they did not stop or were silent.
    """

    def __init__(
        self, settings: EngineSettings, server: ForkServer, changes: Callable[[], ChangeFeed]
    ) -> None:
        self._settings = settings
        self._server = server
        self._changes = changes
        self._lock = threading.Lock()
        self._process: EngineProcess | None = None
        self._closing = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self.restarts = 0
        self.killed = 0
        self._wakes, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._watch, name="engine-watch", daemon=True)

    def start(self) -> None:
        """Starts the first process; returns at once."""
        self._process = self._start_process()
        self._thread.start()

    def end_streams(self) -> None:
        """Has streams that do not end by themselves end."""
        if self._process is not None:
            self._process.end_streams()

    def close_lanes(self) -> None:
        """Closes the lanes that no request uses; on their event loop, which is about to end."""
        if self._process is not None:
            self._process.close_lanes()

    def close(self) -> None:
        """Ends the process; returns when it is gone."""
        self._closing = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        process = self._process
        if process is not None:
            self._kill(process)
            process.gone.wait(END_S)
            process.close()
        for end in (self._wakes, self._woken):
            end.close()

    @property
    def pid(self) -> int | None:
        """Returns the id of the process that answers, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.ready else None

    async def ready(self) -> EngineProcess:
        """Returns a process that answers; waits for one that is being started.

        Raises EngineUnavailableError where that takes too long.
        """
        deadline = time.monotonic() + WAIT_READY_S
        while True:
            process = self._process
            if process is not None and process.ready and not process.ended:
                return process
            loop = asyncio.get_running_loop()
            changed = loop.create_future()
            with self._lock:
                self._waiting.append((loop, changed))
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await changed
            except TimeoutError:
                raise EngineUnavailableError from None

    # --- the thread that watches ---

    def _start_process(self) -> EngineProcess:
        process, control, state = make_pair(self._changes())

        def started(pid: int) -> None:
            process.pid = pid
            self._wake()

        def ended(status: int | None) -> None:
            process.status = status
            process.gone.set()
            self._wake()

        with control, state:
            self._server.start(
                dataclasses.asdict(self._settings),
                [control.fileno(), state.fileno()],
                Watcher(started, ended),
            )
        return process

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wakes.send(b".")

    def _watch(self) -> None:
        while not self._closing:
            process = self._process
            with selectors.DefaultSelector() as selector:
                selector.register(self._woken, selectors.EVENT_READ)
                if process is not None and not process.ended:
                    selector.register(process.control, selectors.EVENT_READ)
                ready = {key.fileobj for key, _ in selector.select(_LOOK_S)}
            if self._woken in ready:
                self._woken.recv(4096)
            if process is not None and not self._closing:
                try:
                    self._look(process, signs=process.control in ready)
                except Exception:
                    log.exception("cannot watch the engine process")

    def _look(self, process: EngineProcess, *, signs: bool) -> None:
        if process.gone.is_set():
            log.warning("engine process gone", pid=process.pid, status=process.status)
            process.close()
            _empty(self._settings.spill_folder)
            self.restarts += 1
            self._process = self._start_process()
            return
        if process.ended:
            self._kill(process)
            return
        if signs and not process.read_signs():
            # Its end is told by the fork server. Nothing more can be asked of it from now on.
            process.ended = True
            return
        if process.ready:
            self._tell_waiting()
        if process.overdue & process.under_way:
            self._end_stuck(process, "a statement does not stop")
        elif time.monotonic() - process.seen_s > (SILENT_S if process.ready else START_S):
            self._end_stuck(process, "no sign of life")

    def _end_stuck(self, process: EngineProcess, why: str) -> None:
        self.killed += 1
        process.ended = True
        log.warning("engine process ended", reason=why, pid=process.pid)
        self._kill(process)

    def _kill(self, process: EngineProcess) -> None:
        if process.pid is not None:
            self._server.kill(process.pid)

    def _tell_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for loop, changed in waiting:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_wake, changed)


def _empty(folder: str) -> None:
    """Removes what a process that was killed has spilled."""
    for left in Path(folder).iterdir():
        shutil.rmtree(left, ignore_errors=True)


def _wake(changed: asyncio.Future[None]) -> None:
    if not changed.done():
        changed.set_result(None)
