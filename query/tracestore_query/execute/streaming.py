"""An answer's batches: objects rebuilt, types made plain, cut at the caps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tracestore_query.answer.result import Notes
from tracestore_query.answer.tagged_texts import NUMBERS, arrow_type, json_of_tagged, rounds
from tracestore_query.execute.execution import Execution
from tracestore_query.execute.object_rebuild import Rebuilder
from tracestore_query.pages.paging import PLACE_COLUMNS, Paging, Places
from tracestore_query.plan.plan import Rebuilt

ROUNDED = (
    "integers that no double holds were rounded, since the first rows have none; "
    "cast the column to VARCHAR to see them exactly"
)
SLOW_S = 2.0
"""Seconds of work from which on a query over all times gets a hint to name one."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of an answer: rows and Arrow bytes; None means no limit."""

    max_rows: int | None = None
    max_bytes: int | None = None


class Stream:
    """An answer on its way from the engine to a reader.

    Args:
        reader: the engine's batches.
        rebuilder: of its objects, None where it has none.
        tagged: positions and types of columns that hold tagged values.
        schema: of the answer, without sort keys.
        execution: its deadline bounds the time that the engine works; waiting for a slow reader costs none. It is
            told when the answer was read to its end.
        caps: where it is cut.
        paging: how it is cut into pages, None where it is not.
        notes: filled in while batches are read.
        slow_hint: what to tell where the engine worked for `SLOW_S` and longer.
    """

    def __init__(
        self,
        reader: Iterator[pa.RecordBatch],
        rebuilder: Rebuilder | None,
        tagged: Mapping[int, str],
        schema: pa.Schema,
        execution: Execution,
        caps: Caps,
        paging: Paging | None,
        notes: Notes,
        slow_hint: str | None,
    ) -> None:
        self._reader = reader
        self._rebuilder = rebuilder
        self._tagged = tagged
        self._schema = schema
        self._execution = execution
        self._deadline = execution.deadline
        self._caps = caps
        self._paging = paging
        self._places = Places(paging) if paging is not None else None
        self._notes = notes
        self._slow_hint = slow_hint
        self._rounded = False
        self._rows = 0
        self._bytes = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields the answer's batches. Where it is cut, a warning says so."""
        cut: str | None = None
        while cut is None:
            with self._deadline.running():
                batch = next(self._reader, None)
                if batch is None:
                    self._execution.exhausted = True
                    break
                table, cut = self._next(pa.Table.from_batches([batch]))
            if cut is not None:
                self._notes.warnings.append(f"the answer was cut after {cut}")
            yield from table.to_batches()
        if self._slow_hint is not None and self._deadline.used_s >= SLOW_S:
            self._notes.warnings.append(self._slow_hint)

    def _next(self, table: pa.Table) -> tuple[pa.Table, str | None]:
        """Returns a batch as readers get it, and where it was cut."""
        cut: str | None = None
        caps = self._caps
        if self._places is not None:
            table = self._places.unread(table).slice(0, self._left())
        if caps.max_rows is not None and self._rows + table.num_rows > caps.max_rows:
            table = table.slice(0, caps.max_rows - self._rows)
            cut = f"{caps.max_rows} rows; add a LIMIT, or page with a cursor"
        keyed = table
        if self._places is not None:
            table = table.select(range(table.num_columns - PLACE_COLUMNS))
        if self._rebuilder is not None:
            table = self._rebuilder.rebuild(table)
        for position, sql_type in self._tagged.items():
            column = table.column(position)
            if sql_type == NUMBERS and not self._rounded and rounds(column):
                self._rounded = True
                self._notes.warnings.append(ROUNDED)
            texts = json_of_tagged(column, sql_type)
            table = table.set_column(position, table.schema.field(position).name, texts)
        table = _plain(table, self._schema)
        if caps.max_bytes is not None and self._bytes + table.nbytes > caps.max_bytes:
            table = table.slice(0, _rows_within(table, caps.max_bytes - self._bytes))
            cut = f"{caps.max_bytes} bytes; select fewer columns or rows"
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._places is not None and table.num_rows:
            more = cut is not None or self._left() == 0
            self._notes.position = self._places.cursor_after(keyed.slice(0, table.num_rows))
            self._notes.cursor = self._notes.position if more else None
        return table, cut

    def _left(self) -> int | None:
        """Returns how many rows a page may still have, None where there is no bound."""
        limit = self._paging.limit if self._paging is not None else None
        return None if limit is None else limit - self._rows


def plain_schema(
    schema: pa.Schema, rebuilt: Sequence[Rebuilt], tagged: Mapping[int, str]
) -> pa.Schema:
    """Returns a schema with JSON, rebuilt columns and tagged values as the text they are."""
    fields = list(schema)
    for position, sql_type in tagged.items():
        fields[position] = pa.field(fields[position].name, arrow_type(sql_type))
    for each in rebuilt:
        fields[each.output] = pa.field(fields[each.output].name, pa.string())
    return pa.schema(
        [pa.field(field.name, _plain_type(field.type), field.nullable) for field in fields]
    )


def _rows_within(table: pa.Table, max_bytes: int) -> int:
    """Returns how many of the first rows fit; at least the share that an even size would give."""
    low, high = 0, table.num_rows
    while low < high:
        middle = (low + high + 1) // 2
        if table.slice(0, middle).nbytes <= max_bytes:
            low = middle
        else:
            high = middle - 1
    return low


def told_apart(schema: pa.Schema) -> pa.Schema:
    """Returns a schema in which no two columns have one name: the second `a` is `a_1`, as the engine calls it."""
    taken = set(schema.names)
    fields, used = [], set()
    for field in schema:
        name, number = field.name, 0
        while name in used or (number and name in taken):
            number += 1
            name = f"{field.name}_{number}"
        used.add(name)
        fields.append(field.with_name(name))
    return pa.schema(fields)


def _plain(table: pa.Table, schema: pa.Schema) -> pa.Table:
    arrays = [
        column.cast(field.type) if column.type != field.type else column
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain_type(arrow_type: pa.DataType) -> pa.DataType:
    if isinstance(arrow_type, pa.BaseExtensionType):
        return arrow_type.storage_type
    if pa.types.is_list(arrow_type):
        return pa.list_(_plain_type(arrow_type.value_type))
    return arrow_type
