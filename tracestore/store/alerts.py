"""What is known of alerts: the state of each, and the events that tell of its changes, until they are delivered.

A change of state and its event are one transaction: after a crash an alert neither fires twice nor is silent.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

import sqlalchemy as sa

from tracestore.store.catalog.schema.tables import ALERT_EVENTS, ALERT_STATES
from tracestore.store.core import Core

State = Literal["ok", "pending", "firing"]
EventState = Literal["firing", "resolved", "test"]
Delivery = Literal["none", "waiting", "done", "failed"]

MAX_EVENTS: Final = 500
"""Events kept of an alert: months of one that fires daily. The oldest go first."""


@dataclass(frozen=True, slots=True)
class AlertState:
    """The state of an alert.

    Attributes:
        since_ns: when it came into this state, nanoseconds since 1970.
        checked_ns: when it was looked at last.
        value: what its statement gave then, as JSON; None where it gave nothing.
        failure: why it could not be looked at; None where it could.
    """

    document_id: str
    state: State
    since_ns: int
    checked_ns: int
    value: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One thing that is told of an alert.

    Attributes:
        delivery: whether it was sent; `none` where it goes nowhere.
        attempts: how often it was sent.
        next_ns: when it is sent next, nanoseconds since 1970.
        answer: what came back last.
    """

    event_id: str
    document_id: str
    state: EventState
    created_ns: int
    value: str | None
    delivery: Delivery
    attempts: int = 0
    next_ns: int = 0
    answer: str | None = None


class Alerts:
    """The states and events of a store's alerts. Thread-safe."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def new_id(self) -> str:
        """Returns an id for an event; later ones are greater."""
        return self._core.ulids.make(self._core.clock.now_ns())

    def now_ns(self) -> int:
        """Returns the time by the store's clock, nanoseconds since 1970."""
        return self._core.clock.now_ns()

    def states(self, document_ids: Collection[str]) -> dict[str, AlertState]:
        """Returns the states of alerts by document; one that was never looked at has none."""
        query = sa.select(ALERT_STATES).where(ALERT_STATES.c.document_id.in_(list(document_ids)))
        with self._core.catalog.transaction() as connection:
            rows = connection.execute(query).mappings().all()
        return {row["document_id"]: AlertState(**row) for row in rows}

    def note(self, state: AlertState, event: AlertEvent | None = None) -> None:
        """Keeps an alert's state, and the event that tells of it."""
        where = ALERT_STATES.c.document_id == state.document_id
        with self._core.catalog.writing() as connection:
            connection.execute(ALERT_STATES.delete().where(where))
            connection.execute(ALERT_STATES.insert().values(**asdict(state)))
            if event is not None:
                _add(connection, event)

    def add_event(self, event: AlertEvent) -> None:
        """Keeps an event that changes no state."""
        with self._core.catalog.writing() as connection:
            _add(connection, event)

    def events(self, document_id: str, most: int = 100) -> list[AlertEvent]:
        """Returns the newest events of an alert, newest first."""
        of = ALERT_EVENTS.c
        query = sa.select(ALERT_EVENTS).where(of.document_id == document_id)
        return self._read(query.order_by(of.event_id.desc()).limit(most))

    def waiting(self, most: int) -> list[AlertEvent]:
        """Returns events that are to be sent, those whose turn comes first at first."""
        query = sa.select(ALERT_EVENTS).where(ALERT_EVENTS.c.delivery == "waiting")
        return self._read(query.order_by(ALERT_EVENTS.c.next_ns).limit(most))

    def sent(self, event: AlertEvent, delivery: Delivery, next_ns: int, answer: str) -> AlertEvent:
        """Keeps what became of sending an event, and returns it."""
        after = replace(
            event, delivery=delivery, attempts=event.attempts + 1, next_ns=next_ns, answer=answer
        )
        where = ALERT_EVENTS.c.event_id == event.event_id
        with self._core.catalog.writing() as connection:
            connection.execute(ALERT_EVENTS.update().where(where).values(**asdict(after)))
        return after

    def _read(self, query: sa.Select[tuple[object, ...]]) -> list[AlertEvent]:
        with self._core.catalog.transaction() as connection:
            return [AlertEvent(**row) for row in connection.execute(query).mappings()]


def _add(connection: sa.Connection, event: AlertEvent) -> None:
    of = ALERT_EVENTS.c
    connection.execute(ALERT_EVENTS.insert().values(**asdict(event)))
    kept = (
        sa.select(of.event_id)
        .where(of.document_id == event.document_id)
        .order_by(of.event_id.desc())
        .limit(MAX_EVENTS)
    )
    newest = connection.execute(kept).scalars().all()
    old = (of.document_id == event.document_id) & (of.event_id < newest[-1])
    connection.execute(ALERT_EVENTS.delete().where(old))
