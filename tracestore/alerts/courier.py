"""Sends what alerts tell to their webhooks, and sends it again until it is taken."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from typing import Any, Final

import httpx
import structlog

from tracestore.alerts.rule import NS, Rule, Webhook
from tracestore.errors import OutboundRefusedError, TraceStoreError, UnknownDocumentError
from tracestore.outbound.clients import client
from tracestore.outbound.fence import Fence
from tracestore.store import AlertEvent, Clock, Document, Documents

log = structlog.get_logger("tracestore.alerts")

SIGNATURE: Final = "X-Tracestore-Signature"
"""`t=SECONDS,v1=HEX`: HMAC-SHA256 by the secret of the seconds, a full stop and the body."""

TIMEOUT_S: Final = 10.0
"""Seconds that a webhook may take."""

RETRY_S: Final = (10, 60, 300, 1800, 7200, 21_600)
"""Seconds after which what was not taken is sent again, in turn: for nine hours in all."""

MAX_BATCH: Final = 20
"""Events read at once."""

MAX_ANSWER_CHARACTERS: Final = 300
"""Of an answer that is kept."""


LOOK_S: Final = 15.0
"""Seconds between two looks at what waits: another node may have made it."""


class Courier:
    """A thread that sends events which wait.

    Args:
        documents: has the alerts.
        address: of this server, for links.
        fence: judges where webhooks are.
        leads: tells whether this process is the one that sends.
        clock: tells the time.
    """

    def __init__(
        self,
        documents: Documents,
        address: str,
        fence: Fence,
        leads: Callable[[], bool] = lambda: True,
        clock: Clock | None = None,
    ) -> None:
        self._leads = leads
        self._documents = documents
        self._alerts = documents.alerts
        self._address = address
        self._clock = clock or Clock()
        self._http = client(fence, timeout_s=TIMEOUT_S)
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="alert webhooks", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Has events sent that wait since now."""
        self._wake.set()

    def stop(self) -> None:
        """Ends the thread after the request that is under way."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT_S + 1)
        self._http.close()

    def _run(self) -> None:
        while not self._stopped:
            try:
                # Of several nodes each may have an event to send, and one sends them.
                wait_s = self.step() if self._leads() else None
            except TraceStoreError as error:
                log.warning("webhooks are not sent", error=str(error))
                wait_s = float(RETRY_S[0])
            self._wake.wait(LOOK_S if wait_s is None else min(wait_s, LOOK_S))

    def step(self) -> float | None:
        """Sends what is due; returns the seconds until more is, None where nothing waits."""
        self._wake.clear()
        while not self._stopped:
            waiting = self._alerts.waiting(MAX_BATCH)
            due = [each for each in waiting if each.next_ns <= self._clock.now_ns()]
            if not due:
                first = min((each.next_ns for each in waiting), default=None)
                return None if first is None else max(0.0, (first - self._clock.now_ns()) / NS)
            for event in due:
                self._send(event)
        return None

    def _send(self, event: AlertEvent) -> None:
        try:
            document = self._documents.find(event.document_id, kind="alert")
        except UnknownDocumentError:
            self._alerts.sent(event, "failed", 0, "the alert is gone")
            return
        hook = Rule.of(document.body or {}).webhook
        if hook is None:
            self._alerts.sent(event, "failed", 0, "the alert has no webhook any more")
            return
        body = json.dumps(payload(event, document, hook.format, self._address)).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "tracestore"}
        headers |= signature(hook, body, self._clock.now_ns() // NS)
        taken, answer = self._posted(hook.url, body, headers)
        if taken:
            self._alerts.sent(event, "done", 0, answer)
        elif event.attempts < len(RETRY_S):
            next_ns = self._clock.now_ns() + RETRY_S[event.attempts] * NS
            self._alerts.sent(event, "waiting", next_ns, answer)
        else:
            self._alerts.sent(event, "failed", 0, answer)

    def _posted(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[bool, str]:
        try:
            with self._http.stream("POST", url, content=body, headers=headers) as answer:
                return answer.is_success, f"{answer.status_code} {answer.reason_phrase}"
        except (OutboundRefusedError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return False, (str(error) or type(error).__name__)[:MAX_ANSWER_CHARACTERS]


def payload(event: AlertEvent, document: Document, form: str, address: str) -> dict[str, Any]:
    """Returns what is sent of an event, as JSON or in Slack's form."""
    rule = Rule.of(document.body or {})
    value = None if event.value is None else json.loads(event.value)
    link = f"{address}/p/{document.project}/alerts/{document.document_id}"
    if form == "slack":
        words = {"firing": "fires", "resolved": "is over", "test": "is tested"}[event.state]
        told = f"value {value}, condition {rule.op} {rule.threshold:g}"
        return {"text": f"*{_escaped(document.name)}* {words}: {told}\n<{link}|Open the alert>"}
    return {
        "event_id": event.event_id,
        "state": event.state,
        "alert": document.name,
        "alert_id": document.document_id,
        "project": document.project,
        "value": value,
        "condition": {"op": rule.op, "threshold": rule.threshold, "for_s": rule.for_s},
        "sql": rule.sql,
        "at_ns": event.created_ns,
        "url": link,
    }


def signature(hook: Webhook, body: bytes, seconds: int) -> dict[str, str]:
    """Returns the header by which a receiver knows who sent a body, and when; empty where there is no secret."""
    if not hook.secret:
        return {}
    signed = f"{seconds}.".encode() + body
    digest = hmac.new(hook.secret.encode(), signed, hashlib.sha256).hexdigest()
    return {SIGNATURE: f"t={seconds},v1={digest}"}


def _escaped(text: str) -> str:
    """Returns a text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
