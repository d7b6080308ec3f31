"""What is measured of requests: how long until they are acknowledged, and what was refused, counted and logged."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from tracestore.errors import TraceStoreError
from tracestore_ingest.admission import Busy
from tracestore_ingest.otlp_answers import Outcome, message_of, remedy_of

log = structlog.get_logger("tracestore.ingest")

SECONDS_BETWEEN_LINES: Final = 60.0
"""A sender that is refused is told of once a minute: exporters send many times a second."""

MAX_REMEMBERED: Final = 1000
"""Kinds and senders of which the last line is remembered; the oldest is forgotten, and then told of again."""

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(slots=True)
class _Told:
    """The last line of a kind and a sender, and what was left out since."""

    at_s: float
    left_out: int = 0


class IngestMeter:
    """The measure of requests that bring data. Thread-safe.

    Args:
        registry: takes the numbers.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._refused = Counter(
            "tracestore_refused_requests_total",
            "Requests refused as a whole.",
            ["signal", "reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "tracestore_acknowledgement_seconds",
            "From a request's last byte until its rows are durable and visible.",
            ["signal"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, str], _Told] = OrderedDict()

    @contextlib.contextmanager
    def measured(self, signal: str, peer: str) -> Iterator[None]:
        """Measures what is done inside; a refusal that leaves it is counted and told of."""
        started = time.perf_counter()
        try:
            yield
        except (TraceStoreError, Busy) as error:
            kind = _kind(error)
            self._refused.labels(signal, kind).inc()
            self._tell(kind, peer, signal, message_of(error), remedy_of(error))
            raise
        self._seconds.labels(signal).observe(time.perf_counter() - started)

    def rows_refused(self, signal: str, peer: str, outcome: Outcome) -> None:
        """Tells of rows that were refused of a request that was taken."""
        if outcome.rejected:
            text = f"{outcome.rejected} rows refused: {outcome.message}"
            self._tell("rows", peer, signal, text, "mend what sends them; other rows are stored")

    def unauthenticated(self, signal: str, peer: str, message: str) -> None:
        """Counts and tells of a request without a key that serves."""
        self._refused.labels(signal, "unauthenticated").inc()
        self._tell(
            "unauthenticated", peer, signal, message, "make a key by `tracestore keys create`"
        )

    def _tell(self, kind: str, peer: str, signal: str, message: str, remedy: str) -> None:
        now_s = time.monotonic()
        with self._lock:
            told = self._told.get((kind, peer))
            if told is not None and now_s - told.at_s < SECONDS_BETWEEN_LINES:
                told.left_out += 1
                return
            left_out = told.left_out if told is not None else 0
            self._told[kind, peer] = _Told(now_s)
            self._told.move_to_end((kind, peer))
            while len(self._told) > MAX_REMEMBERED:
                self._told.popitem(last=False)
        more = {"more_since": left_out} if left_out else {}
        log.info(
            "refused",
            signal=signal,
            peer=peer,
            kind=kind,
            message=message[:MAX_LOGGED_CHARACTERS],
            remedy=remedy,
            **more,
        )


MAX_LOGGED_CHARACTERS: Final = 500
"""Characters of a refusal's message in the log."""


def _kind(error: TraceStoreError | Busy) -> str:
    """Returns a refusal's kind: the words of its error's name."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]
