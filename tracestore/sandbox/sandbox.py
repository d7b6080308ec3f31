"""The sandbox as its users see it: code is looked at and called, within bounds, and what becomes of it is a value."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import structlog

from tracestore.errors import SandboxError
from tracestore.sandbox.bounds import MAX_TIME_S, PATIENCE_S, Bounds
from tracestore.sandbox.frames import FrameError
from tracestore.sandbox.lane import Lane, LaneBrokenError, LaneLateError
from tracestore.sandbox.outcome import Checked, Failure, Outcome, checked_of, outcome_of

log = structlog.get_logger("tracestore.sandbox")

MAX_LANES: Final = max(2, min(4, os.cpu_count() or 2))
"""Calls that run at once, each in processes of its own: about 40 MB a lane."""

WAIT_S: Final = 30.0
"""Seconds that a call may wait for its turn; a person waits no longer."""

Result = TypeVar("Result")


class Sandbox:
    """The processes in which code of users runs. Thread-safe; they are started at the first call.

    Args:
        lanes: calls that run at once.

    Attributes:
        replaced: pairs of processes that were ended over a call.
    """

    def __init__(self, lanes: int = MAX_LANES) -> None:
        self._turns = threading.BoundedSemaphore(lanes)
        self._lock = threading.Lock()
        self._idle: list[Lane] = []
        self._closed = False
        self.replaced = 0

    def check(self, code: str, bounds: Bounds | None = None) -> Checked:
        """Returns the functions that code defines, or the line that the sandbox does not take; runs its top once.

        Raises:
            SandboxError: where there is no turn, or no process.
        """
        request = {"act": "check", "code": code, "bounds": _bounds(bounds)}
        return self._asked(request, bounds, checked_of, lambda failure: Checked((), failure))

    def call(
        self,
        code: str,
        function: str,
        arguments: Mapping[str, Any],
        bounds: Bounds | None = None,
    ) -> Outcome:
        """Returns what a function of some code gives for arguments by name; others than it declares are left out.

        The interpreter's state is new for each call.

        Raises:
            SandboxError: where there is no turn, or no process.
        """
        request = {
            "act": "call",
            "code": code,
            "function": function,
            "arguments": dict(arguments),
            "bounds": _bounds(bounds),
        }
        return self._asked(request, bounds, outcome_of, lambda failure: Outcome(failure=failure))

    def close(self) -> None:
        """Ends all processes that no call uses; those in use end with their calls."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for lane in idle:
            lane.close()

    def _asked(
        self,
        request: Mapping[str, Any],
        bounds: Bounds | None,
        read: Callable[[Mapping[str, Any]], Result],
        failed: Callable[[Failure], Result],
    ) -> Result:
        time_s = (bounds or Bounds()).time_s
        if not self._turns.acquire(timeout=WAIT_S):
            raise SandboxError("cannot run code: too much of it runs already; ask again")
        started = time.monotonic()
        try:
            lane = self._lane()
            kept = False
            try:
                answer = read(lane.ask(request, time_s + PATIENCE_S))
                kept = True
            except FrameError as error:
                kept = True
                return failed(Failure("input", f"cannot give its arguments: {error}"))
            except LaneLateError:
                return failed(Failure("time", f"it ran longer than {time_s:g} s"))
            except (LaneBrokenError, ValueError, KeyError, TypeError):
                return failed(Failure("ended", "the sandbox ended over it"))
            finally:
                self._give_back(lane, kept=kept)
                if not kept:
                    self.replaced += 1
                    seconds = round(time.monotonic() - started, 2)
                    log.warning("sandbox ended", seconds=seconds)
            return answer
        finally:
            self._turns.release()

    def _lane(self) -> Lane:
        with self._lock:
            if self._closed:
                raise SandboxError("cannot run code: the sandbox is closed")
            while self._idle:
                lane = self._idle.pop()
                if lane.lives:
                    return lane
                lane.close()
        try:
            return Lane()
        except (LaneBrokenError, OSError) as error:
            raise SandboxError(
                f"cannot start the sandbox: {error}; is pydantic-monty installed for this Python?"
            ) from error

    def _give_back(self, lane: Lane, *, kept: bool) -> None:
        with self._lock:
            if kept and not self._closed:
                self._idle.append(lane)
                return
        lane.close()


def _bounds(bounds: Bounds | None) -> dict[str, Any]:
    given = bounds or Bounds()
    if not 0 < given.time_s <= MAX_TIME_S:
        raise SandboxError(
            f"cannot run code for {given.time_s:g} s; want more than 0 and at most {MAX_TIME_S:g}"
        )
    return dataclasses.asdict(given)
