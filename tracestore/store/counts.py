"""What a store has taken, refused and rewritten since it was opened, in numbers that only grow."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_LABELS: Final = 1000
"""Projects, and reasons, that are counted by name; further ones count as OTHER: clients make up both."""

OTHER: Final = "other"

Rows = tuple[str, str, str]
"""A table, a project, and what became of rows: `accepted`, `duplicate`, `replaced`."""


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """The counts as of one moment.

    Attributes:
        rows: by table, project and what became of them.
        refused: rows by table, project and reason.
        odd: rows that were kept though their times are odd: `early`, `negative`.
        work: what the store did on its own: flushes, merges, and bytes and rows in and out of merges.
    """

    rows: Mapping[Rows, int] = field(default_factory=dict)
    refused: Mapping[Rows, int] = field(default_factory=dict)
    odd: Mapping[Rows, int] = field(default_factory=dict)
    work: Mapping[str, int] = field(default_factory=dict)


class Counting:
    """The counts of an open store. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: Counter[Rows] = Counter()
        self._refused: Counter[Rows] = Counter()
        self._odd: Counter[Rows] = Counter()
        self._work: Counter[str] = Counter()
        self._labels: dict[str, set[str]] = {"project": set(), "reason": set()}

    def add_rows(self, table: str, project: str, **outcomes: int) -> None:
        """Counts rows of a request by what became of them."""
        with self._lock:
            project = self._label("project", project)
            for outcome, rows in outcomes.items():
                if rows:
                    self._rows[table, project, outcome] += rows

    def add_odd(self, table: str, project: str, **kinds: int) -> None:
        """Counts rows that were kept by what is odd about them."""
        with self._lock:
            project = self._label("project", project)
            for kind, rows in kinds.items():
                if rows:
                    self._odd[table, project, kind] += rows

    def add_refused(self, table: str, project: str, reasons: Iterable[str], rows: int) -> None:
        """Counts a request's refused rows; those of which no reason is given count as of another."""
        with self._lock:
            project = self._label("project", project)
            more = rows
            for reason in reasons:
                self._refused[table, project, self._label("reason", reason)] += 1
                more -= 1
            if more > 0:
                self._refused[table, project, OTHER] += more

    def add_work(self, **amounts: int) -> None:
        """Counts what the store did on its own."""
        with self._lock:
            self._work.update(amounts)

    def read(self) -> StoreCounts:
        """Returns the counts as of now."""
        with self._lock:
            return StoreCounts(
                dict(self._rows), dict(self._refused), dict(self._odd), dict(self._work)
            )

    def _label(self, kind: str, value: str) -> str:
        known = self._labels[kind]
        if value not in known:
            if len(known) >= MAX_LABELS:
                return OTHER
            known.add(value)
        return value
