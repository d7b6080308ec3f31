"""Statements run and wait by turns that are fair between callers."""

from __future__ import annotations

import asyncio

import pytest

from tracestore.engine_process import turns as module
from tracestore.engine_process.turns import NoTurnError, Turns


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Caller:
    """Statements of one caller, each of which runs until it is told to end."""

    def __init__(self, turns: Turns, name: str) -> None:
        self._turns = turns
        self._name = name
        self.running: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, count: int) -> None:
        self.tasks += [asyncio.create_task(self._run()) for _ in range(count)]

    async def _run(self) -> None:
        async with self._turns.turn(self._name):
            ended = asyncio.Event()
            self.running.append(ended)
            await ended.wait()
            self.running.remove(ended)

    async def end_one(self) -> None:
        self.running[0].set()
        await settled()

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def test_one_caller_leaves_room_and_those_who_wait_take_turns() -> None:
    async def scene() -> None:
        turns = Turns(running=4, waiting=20)
        greedy, modest, third = (Caller(turns, name) for name in ("a", "b", "c"))
        greedy.ask(10)
        await settled()
        assert (len(greedy.running), turns.active, turns.queued) == (3, 3, 7)
        modest.ask(3)
        third.ask(2)
        await settled()
        assert (len(modest.running), turns.queued) == (1, 11)
        for _ in range(3):
            await greedy.end_one()
        # Three places were free: one for each caller, and none twice.
        assert [len(each.running) for each in (greedy, modest, third)] == [1, 2, 1]
        for caller in (greedy, modest, third):
            await caller.leave()
        assert (turns.active, turns.queued) == (0, 0)

    asyncio.run(scene())


def test_too_many_that_wait_are_refused() -> None:
    async def scene() -> None:
        turns = Turns(running=1, waiting=4)
        first, other = Caller(turns, "a"), Caller(turns, "b")
        first.ask(1 + 2 + 5)
        await settled()
        assert turns.queued == 2
        refused = [task for task in first.tasks if task.done()]
        assert len(refused) == 5
        assert all(isinstance(task.exception(), NoTurnError) for task in refused)
        other.ask(2)
        await settled()
        assert turns.queued == 4
        await first.leave()
        await other.leave()
        assert (turns.active, turns.queued) == (0, 0)

    asyncio.run(scene())


def test_one_that_has_waited_for_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        turns = Turns(running=1, waiting=4)
        caller = Caller(turns, "a")
        caller.ask(1)
        await settled()
        monkeypatch.setattr(module, "MAX_WAIT_S", 0.0)
        with pytest.raises(NoTurnError):
            async with turns.turn("a"):
                raise AssertionError("unreachable")
        await caller.leave()
        assert (turns.active, turns.queued) == (0, 0)

    asyncio.run(scene())
