"""What a call of a table function can mean, and what it may ask about the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tracestore.store import Dataset
from tracestore_query.tables.predicate import Predicate


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows of one stored table.

    Attributes:
        table: the table.
        predicate: conditions that the rows meet.
        newest_only: whether rows were replaced or deleted, so that only the newest of each id counts.
        time_range: nanoseconds [start, stop) in which all these rows were written, None where that is not known.
    """

    table: str
    predicate: Predicate
    newest_only: bool = False
    time_range: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A query of the language itself."""

    sql: str


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What the meaning of a call may depend on.

    Attributes:
        datasets: datasets that the query may see.
        scores: gives the keys of every score that spans have, below `scores`.
    """

    datasets: Sequence[Dataset]
    scores: Callable[[], Sequence[Sequence[str]]]


Meaning = Callable[[Sequence[exp.Expr], StoreFacts], StoredRows | View]
"""Returns what a call with some arguments means; raises UnknownNameError where they are not the function's."""
