"""How fast a provider is asked: by the minute, and when it asks to wait. No test waits: its clock jumps."""

from __future__ import annotations

import asyncio
import email.utils
import selectors
import time
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from tracestore.play.providers import asking
from tracestore.play.providers.pace import Pace


class Jumping(selectors.DefaultSelector):
    """A selector that does not wait: the time that it would have is added to its loop's."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            self.skipped_s += timeout
        return super().select(0 if timeout is not None else None)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to when something is due."""

    def __init__(self) -> None:
        self._jumps = Jumping()
        super().__init__(self._jumps)

    def time(self) -> float:
        return super().time() + self._jumps.skipped_s


def run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)


async def begun_s(pace: Pace, calls: int) -> list[int]:
    """Returns after how many seconds each of some calls began."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    begun = []

    async def call() -> None:
        async with pace:
            begun.append(round(loop.time() - start))

    await asyncio.gather(*(call() for _ in range(calls)))
    return begun


def test_no_more_calls_begin_within_a_minute() -> None:
    async def work() -> list[int]:
        return await begun_s(Pace(100, 5), 12)

    assert run(work()) == [0] * 5 + [60] * 5 + [120] * 2


def test_a_provider_that_asks_to_wait_is_not_asked_before() -> None:
    async def work() -> list[int]:
        pace = Pace(2, None)
        pace.pause(30)
        pace.pause(10)
        return await begun_s(pace, 3)

    assert run(work()) == [30, 30, 30]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": email.utils.formatdate(0)}, 0),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_a_provider_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert asking._retry_after_s(httpx.Headers(headers)) == seconds


def test_a_provider_may_ask_to_wait_until_a_time() -> None:
    date = email.utils.formatdate(time.time() + 3600)
    found = asking._retry_after_s(httpx.Headers({"retry-after": date}))
    assert found == pytest.approx(3600, abs=600)
