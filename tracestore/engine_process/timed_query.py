"""Queries whose whole work is bounded: what is planned in Python is stopped, and what does not stop is told."""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from tracestore.engine_process.overdue import Work
from tracestore_query import Query, QueryMemoryError, QueryTimeoutError, Result
from tracestore_query.engine.watchdog import Watchdog

UNBOUNDED_S: Final = 24 * 3600.0
"""Seconds for a statement that names no bound."""

_AFTER_S: Final = 0.1
"""Seconds after its time in which a statement stops by itself: the engine is interrupted at the time itself."""


class _TimeOverError(BaseException):
    """What is raised inside a thread whose time is over. No handler of ordinary errors takes it."""


class TimedQuery(Query):
    """SQL over one store, each statement watched while it works. For the engine process only.

    Args:
        work: is told what works, and until when.
        more: what a query takes.
    """

    def __init__(self, *args: Any, work: Work, **more: Any) -> None:
        super().__init__(*args, **more)
        self._work = work
        self._alarms = Watchdog()

    def close(self) -> None:
        """Ends the engine and the watch over its statements."""
        super().close()
        self._alarms.close()

    def sql(self, *args: Any, timeout_s: float | None = 60.0, **more: Any) -> Result:
        """Returns the answer of one statement, as `Query.sql` does."""
        budget = _Budget(self._work, self._alarms, timeout_s)
        with budget.working():
            result = super().sql(*args, timeout_s=timeout_s, **more)
        result.batches = budget.timed(result.batches)
        return result


class _Budget:
    """The time that one statement may work. Waiting for a slow reader costs nothing."""

    def __init__(self, work: Work, alarms: Watchdog, timeout_s: float | None) -> None:
        self._work = work
        self._alarms = alarms
        self._bound_s = UNBOUNDED_S if timeout_s is None else timeout_s
        self._used_s = 0.0

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Bounds what runs inside, on this thread."""
        started_s = time.monotonic()
        over_s = started_s + max(0.0, self._bound_s - self._used_s)
        stop = _Stop()
        try:
            with self._work.until(over_s):
                alarm = self._alarms.call_at(over_s + _AFTER_S, stop.fire)
                try:
                    yield
                finally:
                    self._alarms.call_off(alarm)
                    stop.take_back()
        except _TimeOverError:
            raise QueryTimeoutError(
                f"cannot finish query: it ran longer than {self._bound_s:g} s; "
                "add a time range (start_time >= ...), ask for less or raise timeout_s"
            ) from None
        except MemoryError:
            raise QueryMemoryError(
                "cannot finish query: it needs more memory than the limit for one value or for planning; "
                "ask for less"
            ) from None
        finally:
            self._used_s += time.monotonic() - started_s

    def timed(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yields batches; the making of each is bounded."""
        while True:
            with self.working():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


class _Stop:
    """What raises an error in the thread that made it, wherever in Python that thread is."""

    def __init__(self) -> None:
        self._thread = ctypes.c_ulong(threading.get_ident())
        self._fired = False

    def fire(self) -> None:
        """Raises the error; a call of the engine that is under way is left first."""
        self._fired = True
        _raise_in(self._thread, ctypes.py_object(_TimeOverError))

    def take_back(self) -> None:
        """Takes an error back that was not raised yet; to be called by the thread itself."""
        if self._fired:
            _raise_in(self._thread, None)


_raise_in: Final = ctypes.pythonapi.PyThreadState_SetAsyncExc
