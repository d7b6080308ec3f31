"""Alerts: a state and the event that tells of it are one change, and an alert fires once, also after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.kit import FakeClock, open_store
from tracestore.alerts.evaluator import Evaluator
from tracestore.errors import QueryError
from tracestore.store import Store
from tracestore.store import alerts as module

RULE = {
    "sql": "SELECT count(*) FROM spans",
    "op": ">",
    "threshold": 2,
    "every_s": 60,
    "for_s": 0,
    "enabled": True,
    "webhook": None,
}
HOOK = {"url": "http://127.0.0.1:9/", "format": "json", "secret": None}


class World:
    """A store with alerts, a clock to set, and the value that every statement has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.value: Any = 0
        self.asked: list[tuple[str, str]] = []
        self.open()

    def open(self) -> None:
        self.store: Store = open_store(self.folder, clock=self.clock)
        self.evaluator = Evaluator(self.store.documents, self.ask, lambda: None, self.clock)

    def ask(self, sql: str, project: str, timeout_s: float) -> Any:
        assert timeout_s <= 10
        self.asked.append((sql, project))
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def add(self, **rule: Any) -> str:
        document = self.store.documents.create("alert", "a", {**RULE, **rule}, project="shop")
        return document.document_id

    def look(self, value: Any, after_s: float = 60) -> None:
        self.value = value
        self.clock.advance(after_s)
        self.evaluator.step()

    def state(self, alert: str) -> str:
        return self.store.documents.alerts.states([alert])[alert].state

    def told(self, alert: str) -> list[str]:
        return [each.state for each in reversed(self.store.documents.alerts.events(alert))]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def test_an_alert_fires_once_and_is_over_once(world: World) -> None:
    alert = world.add()
    for value in (0, 3, 4, 5, 1, 0, 9):
        world.look(value)
    assert world.told(alert) == ["firing", "resolved", "firing"]
    assert world.asked[0] == (RULE["sql"], "shop")


def test_a_condition_that_holds_too_shortly_is_not_told(world: World) -> None:
    alert = world.add(for_s=150)
    world.look(3)
    assert world.state(alert) == "pending"
    world.look(3)
    world.look(0)
    assert (world.state(alert), world.told(alert)) == ("ok", [])
    for _ in range(4):
        world.look(3)
    assert (world.state(alert), world.told(alert)) == ("firing", ["firing"])


def test_the_state_goes_on_after_a_restart(world: World) -> None:
    pending, firing = world.add(for_s=150), None
    firing = world.store.documents.create("alert", "b", RULE, project="shop").document_id
    world.look(3)
    world.store.close()
    world.open()
    world.look(3, after_s=100)
    assert (world.state(pending), world.told(firing)) == ("pending", ["firing"])
    world.look(3)
    assert (world.told(pending), world.told(firing)) == (["firing"], ["firing"])


def test_what_cannot_be_looked_at_stays_as_it_was_and_says_why(world: World) -> None:
    alert = world.add()
    world.look(3)
    for value in (QueryError("cannot read it"), "no number"):
        world.look(value)
        [known] = world.store.documents.alerts.states([alert]).values()
        assert (known.state, known.failure is None) == ("firing", False)
    world.look(None)
    assert world.told(alert) == ["firing", "resolved"]


def test_one_that_is_off_is_not_asked_and_one_that_changed_is_asked_at_once(world: World) -> None:
    alert = world.add(enabled=False)
    world.look(3)
    assert world.asked == []
    world.store.documents.save(alert, RULE, kind="alert", version=1, project="shop")
    world.look(3, after_s=0)
    world.look(3, after_s=1)
    assert len(world.asked) == 1


def test_a_slow_statement_is_asked_less_often(world: World) -> None:
    world.add(every_s=10)
    ask = world.ask

    def slowly(sql: str, project: str, timeout_s: float) -> Any:
        world.clock.advance(6)
        return ask(sql, project, timeout_s)

    world.evaluator = Evaluator(world.store.documents, slowly, lambda: None, world.clock)
    world.evaluator.step()
    for _ in range(5):
        world.look(0, after_s=11)
    assert len(world.asked) == 1
    world.look(0, after_s=11)
    assert len(world.asked) == 2


def test_the_history_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    alert = world.add(webhook=HOOK)
    for value in (3, 0) * 4:
        world.look(value)
    assert world.told(alert) == ["resolved", "firing", "resolved"]
    world.store.documents.delete(alert, kind="alert", version=1, project="shop")
    assert world.told(alert) == []
