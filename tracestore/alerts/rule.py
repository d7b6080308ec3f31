"""An alert's rule as it is saved, and what its statement's value means by it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracestore.store import AlertState, State

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
}

NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an alert's events go.

    Attributes:
        url: takes a POST.
        format: `json`, or `slack` for the form of Slack's incoming webhooks.
        secret: signs each request; None for no signature.
    """

    url: str
    format: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A saved alert.

    Attributes:
        sql: its first row's first column is the value that is compared.
        every_s: seconds between two looks.
        for_s: seconds for which the condition must hold before it fires.
    """

    sql: str
    op: str
    threshold: float
    every_s: float
    for_s: float
    enabled: bool
    webhook: Webhook | None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Rule:
        """Returns the rule that a document's body is."""
        hook = body.get("webhook")
        return cls(
            sql=body["sql"],
            op=body["op"],
            threshold=body["threshold"],
            every_s=body["every_s"],
            for_s=body["for_s"],
            enabled=body["enabled"],
            webhook=None if hook is None else Webhook(hook["url"], hook["format"], hook["secret"]),
        )

    def holds(self, value: float | None) -> bool:
        """Returns whether the condition holds; it does not where there is no value."""
        return value is not None and _COMPARE[self.op](value, self.threshold)


def next_state(
    rule: Rule, before: AlertState | None, holds: bool, now_ns: int
) -> tuple[State, int]:
    """Returns an alert's state after a look, and since when it is in it."""
    state, since_ns = ("ok", now_ns) if before is None else (before.state, before.since_ns)
    if not holds:
        return ("ok", since_ns) if state == "ok" else ("ok", now_ns)
    if state == "firing":
        return "firing", since_ns
    if state == "ok":
        state, since_ns = "pending", now_ns
    if now_ns - since_ns >= rule.for_s * NS:
        return "firing", now_ns
    return "pending", since_ns
