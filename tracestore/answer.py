"""The answer of a query, the same of a store and of a server: rows, batches, Arrow, pandas and polars.

Knows Arrow alone. Rows come as they are read; what was read stays, so that an answer can be read again.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from tracestore.errors import AnswerReadError
from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
else:
    pa = LazyModule("pyarrow")

SHOWN_ROWS: Final = 50
"""Rows that a notebook shows of an answer."""

SHOWN_CHARACTERS: Final = 300
"""Characters of a cell that a notebook shows."""

Parser = Callable[[Any], Any]

PARSERS: Final[Mapping[str, Parser]] = {
    "JSON": json.loads,
    "JSON[]": lambda items: [None if item is None else json.loads(item) for item in items],
}
"""What makes a Python value of a value of a type."""


class Source(Protocol):
    """Where an answer comes from: a query of this process or of a server."""

    @property
    def schema(self) -> pa.Schema:
        """Returns names and Arrow types of the columns."""

    @property
    def types(self) -> list[str]:
        """Returns the engine's type of each column, e.g. BIGINT or JSON."""

    @property
    def warnings(self) -> list[str]:
        """Returns what a reader should know; grows while batches are read."""

    @property
    def stats(self) -> Any:
        """Returns what was read, in numbers."""

    @property
    def cursor(self) -> str | None:
        """Returns what asks for the next page, once all is read; None on the last one."""

    @property
    def position(self) -> str | None:
        """Returns a cursor behind the last row that was read so far."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yields the batches, once."""

    def cancel(self) -> None:
        """Stops the query."""

    def close(self) -> None:
        """Lets go of what the query holds."""


class Answer:
    """The answer of a query. A context manager; reading it to its end closes it too.

    Iterating gives rows, `len` counts them. All ways of reading may be used one after the other and give the same
    rows, but `batches()`, which keeps nothing.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._batches: Iterator[pa.RecordBatch] | None = None
        self._kept: list[pa.RecordBatch] = []
        self._ended = False
        self._passed_on = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        columns = ", ".join(
            f"{name} {sql_type}" for name, sql_type in zip(self.names, self.types, strict=True)
        )
        rows = f"{len(self)} rows" if self._ended else "not read to its end"
        return f"<Answer: {columns}; {rows}>"

    @property
    def schema(self) -> pa.Schema:
        """Returns names and Arrow types of the columns."""
        return self._source.schema

    @property
    def names(self) -> list[str]:
        """Returns the names of the columns."""
        return list(self._source.schema.names)

    @property
    def types(self) -> list[str]:
        """Returns the engine's type of each column, e.g. BIGINT or JSON."""
        return self._source.types

    @property
    def columns(self) -> list[dict[str, str]]:
        """Returns name and type of each column."""
        return [
            {"name": name, "type": sql_type}
            for name, sql_type in zip(self.names, self.types, strict=True)
        ]

    @property
    def warnings(self) -> list[str]:
        """Returns what a reader should know; grows while the answer is read."""
        return self._source.warnings

    @property
    def stats(self) -> Any:
        """Returns what was read, in numbers."""
        return self._source.stats

    @property
    def cursor(self) -> str | None:
        """Returns what asks for the next page, once the answer is read; None on the last one."""
        return self._source.cursor

    @property
    def position(self) -> str | None:
        """Returns a cursor behind the last row that was read so far."""
        return self._source.position

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields Arrow batches as they come and keeps none of them, so that an answer may be larger than memory.

        Raises:
            AnswerReadError: where a part of it was passed on so before.
        """
        yield from self._kept
        if self._ended:
            return
        self._passed_on = True
        while (batch := self._next()) is not None:
            yield batch

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields rows as dicts, as they come; they stay, so that they can be read again."""
        parsers = self._parsers()
        for batch in self._keeping():
            yield from _rows_of(batch, parsers)

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self._keeping())

    def rows(self) -> list[dict[str, Any]]:
        """Returns all rows as dicts; a value of type JSON comes as the Python value it spells."""
        return list(self)

    def arrow(self) -> pa.Table:
        """Returns all rows as an Arrow table."""
        return pa.Table.from_batches(list(self._keeping()), schema=self.schema)

    def df(self) -> pd.DataFrame:
        """Returns all rows as a pandas DataFrame; pandas must be installed."""
        return self.arrow().to_pandas()

    def pl(self) -> pl.DataFrame:
        """Returns all rows as a polars DataFrame; polars must be installed."""
        import polars  # noqa: PLC0415 - an optional extra

        frame = polars.from_arrow(self.arrow())
        return frame if isinstance(frame, polars.DataFrame) else frame.to_frame()

    def cancel(self) -> None:
        """Stops the query; a thread that reads it gets an error."""
        self._source.cancel()

    def close(self) -> None:
        """Lets go of what the query holds; what was read stays."""
        self._source.close()

    def _repr_html_(self) -> str:
        """Returns the first rows as a table, for notebooks."""
        heads = "".join(
            f"<th>{html.escape(name)}<br><small>{html.escape(sql_type)}</small></th>"
            for name, sql_type in zip(self.names, self.types, strict=True)
        )
        rows = self.rows()
        lines = "".join(
            "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row.values()) + "</tr>"
            for row in rows[:SHOWN_ROWS]
        )
        shown = f", {SHOWN_ROWS} shown" if len(rows) > SHOWN_ROWS else ""
        return (
            f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
            f"<p>{len(rows):,} rows{shown}</p>"
        )

    def _keeping(self) -> Iterator[pa.RecordBatch]:
        """Yields the batches that were read, then the others, which stay from now on."""
        if self._passed_on:
            raise AnswerReadError(
                "cannot read the answer again: batches() keeps none of it; ask once more, or read it by rows() or "
                "arrow() first"
            )
        at = 0
        while True:
            while at < len(self._kept):
                yield self._kept[at]
                at += 1
            if self._ended:
                return
            batch = self._next()
            if batch is not None:
                self._kept.append(batch)

    def _next(self) -> pa.RecordBatch | None:
        """Returns the next batch, None after the last."""
        if self._batches is None:
            self._batches = iter(self._source)
        batch = next(self._batches, None)
        self._ended = batch is None
        return batch

    def _parsers(self) -> dict[str, Parser]:
        named = zip(self.names, self.types, strict=True)
        return {name: PARSERS[sql_type] for name, sql_type in named if sql_type in PARSERS}


def _rows_of(batch: pa.RecordBatch, parsers: Mapping[str, Parser]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = batch.to_pylist()
    for row in rows:
        for name, parse in parsers.items():
            if row[name] is not None:
                row[name] = parse(row[name])
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return "<i>NULL</i>"
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return html.escape(cut)
