"""Looks at a store's alerts, one after the other in one thread: all of them cost a part of one core at most."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from tracestore.alerts.rule import Rule, next_state
from tracestore.errors import TraceStoreError
from tracestore.store import AlertEvent, AlertState, Clock, Document, Documents

log = structlog.get_logger("tracestore.alerts")

MAX_ALERTS: Final = 500
"""Alerts of a store that are looked at; the oldest names first."""

LOOK_TIMEOUT_S: Final = 10.0
"""Seconds that one statement may take."""

IDLE_SHARE: Final = 10
"""After a look that took a second, the alert waits ten at least: it costs a tenth of one core at most."""

RELIST_S: Final = 15.0
"""Seconds after which the list is read anew; a change through this server is seen at once."""

MAX_FAILURE: Final = 2000
"""Characters of a failure that are kept."""

Ask = Callable[[str, str, float], Any]
"""Runs a statement (text, project, seconds) and returns the first value of its first row, None where it has none."""


@dataclass(slots=True)
class _Turn:
    """An alert's document with the time of its next look, in seconds of the clock that never goes back."""

    document: Document
    due_s: float


class Evaluator:
    """The one evaluator of a store: a thread that looks at each alert when its time comes.

    Args:
        documents: has the alerts.
        ask: runs a statement.
        told: is called when an event waits to be sent.
        clock: tells the time.
        leads: tells whether this process is the one that looks.
    """

    def __init__(
        self,
        documents: Documents,
        ask: Ask,
        told: Callable[[], None],
        clock: Clock | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._leads = leads
        self._documents = documents
        self._alerts = documents.alerts
        self._ask = ask
        self._told = told
        self._clock = clock or Clock()
        self._turns: dict[str, _Turn] = {}
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Has the list of alerts read anew."""
        self._wake.set()

    def stop(self) -> None:
        """Ends the thread after the look that is under way."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(LOOK_TIMEOUT_S + 1)

    def _run(self) -> None:
        while not self._stopped:
            try:
                wait_s = self.step() if self._leads() else RELIST_S
            except TraceStoreError as error:
                log.warning("alerts are not looked at", error=str(error))
                wait_s = RELIST_S
            self._wake.wait(wait_s)

    def step(self) -> float:
        """Looks at each alert whose time has come; returns the seconds until the next one's comes."""
        self._wake.clear()
        self._relist()
        for turn in sorted(self._turns.values(), key=lambda each: each.due_s):
            if self._stopped or turn.due_s > self._clock.elapsed_s():
                break
            started_s = self._clock.elapsed_s()
            rule = Rule.of(turn.document.body or {})
            self._look(turn.document, rule)
            took_s = self._clock.elapsed_s() - started_s
            turn.due_s = started_s + max(rule.every_s, took_s * (IDLE_SHARE + 1))
        now_s = self._clock.elapsed_s()
        due = min((turn.due_s for turn in self._turns.values()), default=now_s + RELIST_S)
        return min(max(due - now_s, 0.0), RELIST_S)

    def _relist(self) -> None:
        listed = self._documents.list(kind="alert", bodies=True)[:MAX_ALERTS]
        now_s = self._clock.elapsed_s()
        turns = {}
        for document in listed:
            if not (document.body or {}).get("enabled"):
                continue
            known = self._turns.get(document.document_id)
            # A changed alert is looked at once, so that whoever changed it sees what it does.
            changed = known is None or known.document.version != document.version
            due_s = now_s if known is None or changed else known.due_s
            turns[document.document_id] = _Turn(document, due_s)
        self._turns = turns

    def _look(self, document: Document, rule: Rule) -> None:
        before = self._alerts.states([document.document_id]).get(document.document_id)
        failure = None
        value: Any = None
        try:
            value = self._ask(rule.sql, document.project, min(LOOK_TIMEOUT_S, rule.every_s))
            if value is not None and not isinstance(value, int | float):
                failure = "the first column of the first row is no number"
        except TraceStoreError as error:
            failure = str(error)
        now_ns = self._clock.now_ns()
        if failure is not None:
            # What cannot be looked at stays as it was: it neither fires nor is over.
            known = before or AlertState(document.document_id, "ok", now_ns, now_ns)
            failed = replace(known, checked_ns=now_ns, value=None, failure=failure[:MAX_FAILURE])
            self._alerts.note(failed)
            return
        state, since_ns = next_state(rule, before, rule.holds(value), now_ns)
        text = json.dumps(value)
        after = AlertState(document.document_id, state, since_ns, now_ns, text)
        was = "ok" if before is None else before.state
        told = "firing" if state == "firing" != was else None
        told = "resolved" if was == "firing" and state == "ok" else told
        if told is None:
            self._alerts.note(after)
            return
        event = AlertEvent(
            self._alerts.new_id(),
            document.document_id,
            "firing" if told == "firing" else "resolved",
            now_ns,
            text,
            "none" if rule.webhook is None else "waiting",
            next_ns=now_ns,
        )
        self._alerts.note(after, event)
        log.info("alert", name=document.name, project=document.project, state=told, value=text)
        self._told()
