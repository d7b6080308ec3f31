"""Calls of tasks and scorers: sync and async alike, within a time. Knows no telemetry and no store."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
import time
from collections.abc import Callable
from typing import Any


async def called(
    function: Callable[..., Any], timeout_s: float | None, *values: Any, **named: Any
) -> Any:
    """Returns what a function returns, be it sync or async; a sync one runs in a thread.

    Raises TimeoutError where it takes longer, and whatever the function raises.
    """
    if _is_async(function):
        return await asyncio.wait_for(function(*values, **named), timeout_s)
    returned = await asyncio.wait_for(_in_thread(lambda: function(*values, **named)), timeout_s)
    if inspect.isawaitable(returned):
        return await asyncio.wait_for(returned, timeout_s)
    return returned


def timed(function: Callable[..., Any], note: Callable[[float], None]) -> Callable[..., Any]:
    """Returns a function that notes the seconds of each call: its own, not those in which it waits for its turn."""
    if _is_async(function):

        async def run_async(*values: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return await function(*values, **named)
            finally:
                note(time.perf_counter() - started)

        return run_async

    def run(*values: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*values, **named)
        finally:
            note(time.perf_counter() - started)

    return run


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - whether calling it makes a coroutine
    )


def said(error: Exception) -> str:
    """Returns an error as a line for people."""
    name = type(error).__name__
    if isinstance(error, TimeoutError) and not str(error):
        return f"{name}: it took longer than timeout_s allows"
    return f"{name}: {error}" if str(error) else name


async def _in_thread(call: Callable[[], Any]) -> Any:
    """Returns what a blocking call returns. Its thread keeps nobody waiting: one that hangs is left behind."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def finish(value: Any, error: BaseException | None) -> None:
        if future.done():  # nobody waits any more
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def run() -> None:
        try:
            value, error = context.run(call), None
        except Exception as caught:  # noqa: BLE001 - handed on to who waits
            value, error = None, caught
        except BaseException as caught:  # noqa: BLE001 - a task that calls exit() is a task that failed
            value, error = None, RuntimeError(f"{type(caught).__name__}: {caught}")
        # The loop is closed where the eval was stopped meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(finish, value, error)

    threading.Thread(target=run, name="eval call", daemon=True).start()
    return await future
