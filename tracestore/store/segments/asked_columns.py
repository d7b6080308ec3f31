"""Which columns queries compare with one value: counted, so that a project can be told what to cluster by.

Counts are of this process and those before it: they are kept in a small file, which no query waits for and which may be
lost.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tracestore.store.clock import Clock
from tracestore.store.files import filenames
from tracestore.store.files.filesystem import FileSystem

MAX_PROJECTS: Final = 256
"""Projects whose queries are counted; those of later ones are not."""

MAX_COLUMNS: Final = 64
"""Columns of a project that are counted: a new one takes the place of the one that was asked for least."""

MAX_QUERIES: Final = 10_000
"""Queries of a project after which all its counts are halved: what is asked now counts more than what was."""

MAX_NAMED: Final = 8
"""Projects of one query under each of which it is counted; one that reads more tells nothing of each."""

SAVE_S: Final = 30.0
"""Seconds between two writes of the file."""

Column = tuple[str, str]
"""A table, and a column or path of it."""


@dataclass(frozen=True, slots=True)
class AskedColumn:
    """How often queries compared a column with one value.

    Attributes:
        project: whose queries, None of those that read every project.
        table, column: what they compared.
        queries: how many they were.
        share: of all queries of the project that read rows.
    """

    project: str | None
    table: str
    column: str
    queries: int
    share: float


@dataclass(slots=True)
class _Counts:
    queries: int = 0
    columns: dict[Column, int] = field(default_factory=dict)

    def add(self, columns: Collection[Column]) -> None:
        self.queries += 1
        for column in columns:
            if column not in self.columns and len(self.columns) >= MAX_COLUMNS:
                del self.columns[min(self.columns, key=self.columns.__getitem__)]
            self.columns[column] = self.columns.get(column, 0) + 1
        if self.queries > MAX_QUERIES:
            self.queries //= 2
            halves = {column: count // 2 for column, count in self.columns.items()}
            self.columns = {column: count for column, count in halves.items() if count}


class AskedColumns:
    """The columns that queries compared. Thread-safe.

    Args:
        path: of the file that keeps them.
        fs: does the work on files.
        clock: says when it was written last.
        may_write: tells whether this process may write there.
    """

    def __init__(
        self, path: Path, fs: FileSystem, clock: Clock, may_write: Callable[[], bool]
    ) -> None:
        self._path = path
        self._fs = fs
        self._clock = clock
        self._may_write = may_write
        self._lock = threading.Lock()
        self._counts: dict[str | None, _Counts] | None = None
        self._saved_s = clock.elapsed_s()
        self._is_new = False

    def note(self, projects: Collection[str] | None, columns: Collection[Column]) -> None:
        """Counts a query that reads rows of projects, None for all, and the columns that it compares."""
        named: Collection[str | None] = [None] if projects is None else projects
        if len(named) > MAX_NAMED:
            return
        with self._lock:
            counts = self._known()
            for project in named:
                if project in counts or len(counts) < MAX_PROJECTS:
                    counts.setdefault(project, _Counts()).add(columns)
            self._is_new = True
            is_due = self._clock.elapsed_s() - self._saved_s >= SAVE_S
        if is_due:
            self.save()

    def columns(self) -> list[AskedColumn]:
        """Returns the columns, those asked for most first."""
        with self._lock:
            found = [
                AskedColumn(project, *column, count, count / max(counts.queries, 1))
                for project, counts in self._known().items()
                for column, count in counts.columns.items()
            ]
        return sorted(found, key=lambda each: (-each.queries, each.column))

    def save(self) -> None:
        """Writes the counts, if there are new ones and this process may write."""
        with self._lock:
            if not self._is_new or not self._may_write():
                return
            self._is_new = False
            self._saved_s = self._clock.elapsed_s()
            data = json.dumps(_document(self._known())).encode("utf-8", "surrogatepass")
        # A full disk costs a suggestion, and no answer.
        with contextlib.suppress(OSError):
            unfinished = filenames.temporary(self._path)
            file = self._fs.create(unfinished)
            try:
                file.write(data)
            finally:
                file.close()
            self._fs.rename(unfinished, self._path)

    def _known(self) -> dict[str | None, _Counts]:
        """Returns the counts, from the file where they are asked for first. The caller holds the lock."""
        if self._counts is None:
            self._counts = _read(self._path)
        return self._counts


def _document(counts: dict[str | None, _Counts]) -> list[dict[str, Any]]:
    return [
        {
            "project": project,
            "queries": each.queries,
            "columns": [[*column, count] for column, count in each.columns.items()],
        }
        for project, each in counts.items()
    ]


def _read(path: Path) -> dict[str | None, _Counts]:
    """Returns what a file keeps, nothing where it is not there or not as it was written."""
    try:
        document = json.loads(path.read_bytes())
        return {
            each["project"]: _Counts(
                int(each["queries"]),
                {(table, column): int(count) for table, column, count in each["columns"]},
            )
            for each in document
        }
    except (OSError, ValueError, TypeError, KeyError):
        return {}
