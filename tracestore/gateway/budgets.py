"""What each key may spend in a day. Calls under way count with what they may cost, so that many at once keep it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracestore.errors import DocumentConflictError, TraceStoreError, UnknownDocumentError
from tracestore.gateway.answers import Shape
from tracestore.play.costs import CallCosts
from tracestore.play.providers.calls import Usage
from tracestore.store import Documents

KIND: Final = "gateway_spending"
"""A document for each day: what keys have spent, so that a server that starts again goes on from there."""

CHARACTERS_PER_TOKEN: Final = 3
"""Bytes of a request that count as one token: text has four, code and other scripts fewer."""

DEFAULT_ANSWER_TOKENS: Final = 2048
"""Tokens of an answer whose request names no bound."""

UNKNOWN_INPUT_USD: Final = 10e-6
UNKNOWN_OUTPUT_USD: Final = 40e-6
"""Dollars for a token of a model without a price: those of a dear one, so that no name is free."""

_BOUNDS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Reserved:
    """What a call under way may cost at most."""

    key: str
    day: str
    dollars: float


class OverBudgetError(Exception):
    """A call that its key's budget does not allow today."""


class Budgets:
    """The spending of keys, on one event loop; `share` reads and writes the catalog and runs in a thread.

    Nodes that share a catalog share what was spent: each adds its own, and learns of that of others as it does. What
    others have under way, and have spent since, is not known here.

    Args:
        documents: keep what was spent.
        costs: tell what calls cost.
        usd_per_day: of each key; None where the gateway is off.
        by_name: of keys by their names, in place of that.
    """

    def __init__(
        self,
        documents: Documents,
        costs: CallCosts,
        usd_per_day: float | None,
        by_name: Mapping[str, float],
    ) -> None:
        self._documents = documents
        self._costs = costs
        self._usd_per_day = usd_per_day
        self._by_name = dict(by_name)
        self._day = ""
        self._spent: dict[str, float] = {}
        self._unshared: dict[str, float] = {}
        self._under_way: dict[str, float] = {}
        self._lock = threading.Lock()

    def limit(self, key_name: str | None) -> float | None:
        """Returns the dollars that a key may spend in a day, None where it may not use the gateway."""
        return self._by_name.get(key_name or "", self._usd_per_day)

    def spent(self, key: str) -> float:
        """Returns the dollars that a key has spent today."""
        return self._spent.get(key, 0.0) if self._day == today() else 0.0

    def share(self) -> None:
        """Adds what was spent here to what is kept, and learns of all that was.

        Raises TraceStoreError where the catalog does not answer; what was spent is kept the next time then.
        """
        self._turn_page()
        with self._lock:
            day, own = self._day, self._unshared
            self._unshared = {}
        try:
            kept = self._kept(day, own)
        except TraceStoreError:
            with self._lock:
                self._unshared = _sum(self._unshared, own) if day == self._day else {}
            raise
        with self._lock:
            if day == self._day:
                self._spent = _sum(kept, self._unshared)

    def _kept(self, day: str, own: Mapping[str, float]) -> dict[str, float]:
        """Returns what all have spent on a day, with what was spent here since the last time."""
        try:
            known = self._documents.named(day, kind=KIND)
        except UnknownDocumentError:
            if not own:
                return {}
            try:
                return _spent_of(self._documents.create(KIND, day, {"spent": dict(own)}).body)
            except DocumentConflictError:  # another node has, just now
                known = self._documents.named(day, kind=KIND)
        if not own:
            return _spent_of(known.body)

        def added(body: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"spent": _sum(_spent_of(body), own)}

        return _spent_of(self._documents.edit(known.document_id, added, kind=KIND).body)

    def reserve(self, key: str, limit: float, dollars: float) -> Reserved:
        """Sets aside what a call may cost; raises OverBudgetError where the day's budget has not so much left."""
        self._turn_page()
        used = self._spent.get(key, 0.0) + self._under_way.get(key, 0.0)
        if used + dollars > limit:
            raise OverBudgetError(
                f"this key may spend {limit:g} dollars a day; {used:.4f} are spent or under way, and this call "
                f"may cost {dollars:.4f}; ask for fewer tokens, or tomorrow (UTC)"
            )
        self._under_way[key] = self._under_way.get(key, 0.0) + dollars
        return Reserved(key, self._day, dollars)

    def settle(self, reserved: Reserved, dollars: float) -> None:
        """Counts what a call did cost in place of what was set aside."""
        self._under_way[reserved.key] = max(
            0.0, self._under_way.get(reserved.key, 0.0) - reserved.dollars
        )
        with self._lock:
            if reserved.day == self._day:
                spent = {reserved.key: dollars}
                self._spent = _sum(self._spent, spent)
                self._unshared = _sum(self._unshared, spent)

    def most(self, model: str, provider: str, request: Mapping[str, Any], size: int) -> float:
        """Returns what a call may cost at most, as far as its request tells."""
        given = [request.get(name) for name in _BOUNDS]
        bounds = [each for each in given if isinstance(each, int) and each >= 0]
        choices = request.get("n")
        count = choices if isinstance(choices, int) and 0 < choices <= 1000 else 1
        made = (
            0
            if "input" in request and "messages" not in request and not bounds
            else count * (min(bounds) if bounds else DEFAULT_ANSWER_TOKENS)
        )
        return self.cost(model, provider, Usage(size // CHARACTERS_PER_TOKEN, made))

    def cost(self, model: str, provider: str, usage: Usage) -> float:
        """Returns what tokens cost; a model without a price costs what a dear one does."""
        dollars, _ = self._costs.of(model, provider, usage)
        if dollars is not None:
            return dollars
        return (
            usage.prompt_tokens * UNKNOWN_INPUT_USD + usage.completion_tokens * UNKNOWN_OUTPUT_USD
        )

    def _turn_page(self) -> None:
        day = today()
        with self._lock:
            if day != self._day:
                self._day = day
                self._spent, self._unshared = {}, {}


def _spent_of(body: Mapping[str, Any] | None) -> dict[str, float]:
    return {key: float(dollars) for key, dollars in ((body or {}).get("spent") or {}).items()}


def _sum(some: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    return {key: some.get(key, 0.0) + more.get(key, 0.0) for key in some.keys() | more.keys()}


def today() -> str:
    """Returns the day in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def used(counts: Mapping[str, int], shape: Shape, request_bytes: int, answer_bytes: int) -> Usage:
    """Returns the tokens of a call: those that its answer tells, else as many as its bytes may be."""
    if "input_tokens" in counts:
        return Usage(
            counts["input_tokens"],
            counts.get("output_tokens", 0),
            counts.get("cache_read.input_tokens", 0),
            counts.get("cache_creation.input_tokens", 0),
        )
    made = 0 if shape == "embeddings" else answer_bytes // CHARACTERS_PER_TOKEN
    return Usage(request_bytes // CHARACTERS_PER_TOKEN, made)
