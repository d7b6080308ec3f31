"""The answer of a query: Arrow batches, and what should be known about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import pyarrow as pa

from tracestore.answer import Answer


@dataclass(slots=True)
class QueryStats:
    """What a query read, in numbers.

    Attributes:
        segments_read, segments_pruned: segments of all scans together.
        memtable_rows: rows read that are in no segment yet.
        leaf_columns: leaves asked for.
        planning_ms: parse, bind and plan.
    """

    segments_read: int = 0
    segments_pruned: int = 0
    memtable_rows: int = 0
    leaf_columns: int = 0
    planning_ms: float = 0.0


@dataclass(slots=True)
class Notes:
    """What is known of an answer only once it was read.

    Attributes:
        warnings: what a reader should know.
        cursor: of the next page, None where there is none.
        position: a cursor behind the last row that was read, where pages were asked for.
    """

    warnings: list[str]
    cursor: str | None = None
    position: str | None = None


@dataclass(slots=True)
class Result:
    """A running query; iterating gives its batches once. A context manager. `Answer` is what users read.

    Attributes:
        schema: names and Arrow types of the columns.
        types: the engine's type of every column, e.g. BIGINT or JSON.
        notes: what is known once all batches are read.
        stats: what was read.
        state: gives what the rows depend on, as `execute/answer_state.py` says it; None where more than rows do.
    """

    schema: pa.Schema
    types: list[str]
    batches: Iterator[pa.RecordBatch]
    notes: Notes
    stats: QueryStats
    on_close: Callable[[], None] = field(repr=False)
    on_cancel: Callable[[], None] = field(repr=False)
    state: Callable[[], str | None] = field(default=lambda: None, repr=False)
    _closed: bool = False

    @property
    def warnings(self) -> list[str]:
        """Returns what a reader should know; grows while batches are read."""
        return self.notes.warnings

    @property
    def cursor(self) -> str | None:
        """Returns what asks for the next page, once all batches are read.

        None on the last page, and where pages were not asked for.
        """
        return self.notes.cursor

    @property
    def position(self) -> str | None:
        """Returns a cursor behind the last row that was read so far.

        None before the first, and where pages were not asked for.
        """
        return self.notes.position

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yields the remaining batches and closes the result after the last."""
        try:
            yield from self.batches
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        """Closes an answer that nobody read or closed: its plan alone would hold files until the next collection."""
        self.close()

    def arrow(self) -> pa.Table:
        """Returns all rows as a table."""
        return pa.Table.from_batches(list(self), schema=self.schema)

    def rows(self) -> list[dict[str, Any]]:
        """Returns all rows as dicts; a value of type JSON comes as the Python value it spells."""
        return Answer(self).rows()

    def cancel(self) -> None:
        """Stops the query; a thread that reads batches gets QueryFailedError."""
        self.on_cancel()

    def close(self) -> None:
        """Lets go of the engine's cursor and the store's files; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self.on_close()
