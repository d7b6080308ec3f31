"""Pages of an ordered answer: the next one starts after the last row of this one, whatever has arrived since.

The whole query is asked each time, as a subquery whose rows are sorted by its own keys and, where those tie, by what
tells the rows apart. Rows alike in everything are counted. So a page is right whatever the query is made of, and only
a query whose answer is another one each time is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
from sqlglot import exp

from tracestore.arrow_compute import pc
from tracestore_query.errors import QueryCursorError
from tracestore_query.language.parameters import Parameters
from tracestore_query.pages.choices import settle_aggregates, settle_choices
from tracestore_query.pages.cursors import Position, read_cursor
from tracestore_query.pages.moments import refuse_chance, with_moment
from tracestore_query.pages.page_order import (
    COLUMN,
    PageOrder,
    add_identity,
    hidden_column,
    names_kept,
    root_of,
    take_order,
    time_key,
)

PLACE_COLUMNS: Final = 3
"""Columns behind the answer's own: a row's sort key, its tie, and its first key as text."""

_KEY, _TIE, _FIRST = '"__key"', '"__tie"', '"__first"'
_BYTES: Final = ", '', 'ASC NULLS LAST'"
"""A last part of a sort key, since the engine gives that of one short value as a number."""
_PLAIN: Final = frozenset(
    """BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT VARCHAR JSON BLOB DATE
    TIMESTAMP TIMESTAMP_NS UUID""".split()  # noqa: SIM905 - read as a list
) | {"TIMESTAMP WITH TIME ZONE"}
"""Types whose values have one sort key each. Others are told apart by their texts, too: 0.0 and -0.0, for one."""


@dataclass(slots=True)
class Paging:
    """The way an answer is cut into pages.

    Attributes:
        digest: of the query: a cursor is good for the query it came from.
        after: where the page before ended, None for the first page.
        moment: what `now()` is, None where the query does not ask.
        is_total: whether no two rows have equal keys.
        is_whole: whether LIMIT is of the whole answer and not of each page.
        by_time: whether the first key is the time of the one table that is read.
        order: the query's order, once its names are resolved.
    """

    digest: str
    after: Position | None
    moment: str | None
    is_total: bool
    is_whole: bool
    by_time: bool
    order: PageOrder = field(default_factory=PageOrder)

    @property
    def limit(self) -> int | None:
        """Returns how many rows the page has at most, None where only a cap cuts it."""
        rows = self.order.rows
        if rows is None or not self.is_whole or self.after is None:
            return rows
        return max(rows - self.after.rows, 0)

    def take_order(self, tree: exp.Expr) -> None:
        """Takes the order out of a tree whose names are resolved."""
        self.order = take_order(tree, is_total=self.is_total)
        settle_aggregates(tree)

    def text(
        self, sql: str, names: Sequence[str], types: Sequence[str]
    ) -> tuple[str, tuple[str, ...]]:
        """Returns the engine's text of the page, and the names of the answer's columns.

        Args:
            sql: the text of the query without its order.
            names: names of its columns, hidden ones at the end.
            types: the engine's types of these.
        """
        own = len(names) - self.order.hidden
        columns = [f'"{COLUMN}{i}"' for i in range(own)]
        every = [*columns, *map(hidden_column, range(self.order.hidden))]
        key, first = self._key(names[:own])
        tie = self._tie(dict(zip(every, types, strict=True)), columns)
        rows = (
            f"SELECT *, {key} AS {_KEY}, {tie} AS {_TIE}, {first} AS {_FIRST} "  # noqa: S608 - of a checked tree
            f"FROM ({sql}) AS __rows({', '.join(every)})"
        )
        listed = ", ".join([*columns, _KEY, _TIE, _FIRST])
        text = f"SELECT {listed} FROM ({rows}) {self._where()} ORDER BY {_KEY}, {_TIE}"  # noqa: S608
        return text + self._bounds(), tuple(names[:own])

    def _key(self, names: Sequence[str]) -> tuple[str, str]:
        parts = []
        for each in self.order.keys:
            text = each.sql
            if text is None:
                at = [i for i, name in enumerate(names) if name.lower() == each.name.lower()]
                if not at:
                    raise QueryCursorError(
                        f"cannot page query: {each.name} is no column of its answer to order by"
                    )
                text = f'"{COLUMN}{at[0]}"'
            parts.append((text, each.modifier))
        listed = ", ".join(f"{text}, '{modifier}'" for text, modifier in parts)
        first = f"CAST({parts[0][0]} AS VARCHAR)" if self.by_time else "NULL::VARCHAR"
        return f"create_sort_key({listed}{_BYTES})", first

    def _tie(self, types: dict[str, str], columns: list[str]) -> str:
        if self.is_total:
            return "''"
        told_apart = columns if self.order.ties is None else self.order.ties
        keys = ", ".join(f"{each}, 'ASC NULLS LAST'" for each in told_apart)
        texts = [each for each in told_apart if types[each] not in _PLAIN]
        whole = f"create_sort_key({keys}{_BYTES})"
        if texts:
            listed = ", ".join(f"coalesce(CAST({each} AS VARCHAR), '')" for each in texts)
            whole += f" || encode(concat_ws(chr(0), {listed}))"
        return f"sha256({whole})"

    def _where(self) -> str:
        if self.after is None:
            return ""
        key = f"from_hex('{self.after.key.hex()}')"
        if self.is_total:
            return f"WHERE {_KEY} > {key}"
        same = f"{_KEY} = {key} AND {_TIE} >= '{self.after.tie}'"
        return f"WHERE {_KEY} > {key} OR ({same})"

    def _bounds(self) -> str:
        offset = self.order.offset if self.after is None else 0
        alike = 0 if self.after is None or self.is_total else self.after.alike
        limit = "" if self.limit is None else f" LIMIT {self.limit + alike}"
        return limit + (f" OFFSET {offset}" if offset else "")


def paged(
    tree: exp.Expr, sql: str, parameters: Parameters, cursor: str, *, is_whole: bool = False
) -> Paging:
    """Makes a query ready for paging: what it leaves to chance is refused, what it leaves open is settled.

    Args:
        tree: a checked statement; changed in place.
        sql: its text.
        parameters: its parameters.
        cursor: of the page before; empty for the first page.
        is_whole: whether LIMIT is of the whole answer and not of each page.

    Raises:
        QueryCursorError: where the query has no order that can be continued, or the cursor is of another query.
    """
    root = root_of(tree)
    refuse_chance(tree)
    digest = hashlib.sha256(f"{sql}\0{parameters!r}\0{is_whole}".encode()).hexdigest()[:16]
    after = read_cursor(cursor, digest) if cursor else None
    with names_kept(root):
        moment = with_moment(tree, after.moment if after is not None else None)
        settle_choices(tree, root)
    by_time = time_key(root)
    is_total = add_identity(root)
    if after is not None:
        if by_time is not None and after.first is not None:
            _bound_time(root, *by_time, after.first)
        root.set("offset", None)
    return Paging(digest, after, moment, is_total, is_whole, by_time is not None)


def _bound_time(root: exp.Query, column: exp.Column, descending: bool, text: str) -> None:
    """Adds a condition that leaves out nothing but earlier pages, by which segments are left out."""
    is_number = text.lstrip("-").isdigit()
    bound = exp.cast(exp.Literal.string(text), "BIGINT" if is_number else "TIMESTAMPTZ")
    kind = exp.LTE if descending else exp.GTE
    condition: exp.Expr = kind(this=column, expression=bound)
    where = root.args.get("where")
    if where is not None:
        condition = exp.And(this=exp.paren(where.this), expression=condition)
    root.set("where", exp.Where(this=condition))


class Places:
    """The places of an answer's rows, as they are read.

    Args:
        paging: of the answer.
    """

    def __init__(self, paging: Paging) -> None:
        self._paging = paging
        after = paging.after
        self._last = (after.key, after.tie) if after is not None else None
        self._alike = 0
        self._read_before = 0 if after is None or paging.is_total else after.alike
        self._rows = 0 if after is None else after.rows

    def unread(self, table: pa.Table) -> pa.Table:
        """Returns rows without those at the beginning that earlier pages had and that are alike."""
        if not self._read_before or not table.num_rows:
            return table
        alike = pc.sum(self._are_last(table)).as_py() or 0
        skipped = min(alike, self._read_before)
        self._alike += skipped
        self._read_before = self._read_before - skipped if alike == table.num_rows else 0
        return table.slice(skipped)

    def cursor_after(self, table: pa.Table) -> str:
        """Returns the cursor behind rows, at least one, which are the next of the answer."""
        key, tie, first = (column[-1].as_py() for column in table.columns[-PLACE_COLUMNS:])
        before, self._last = self._last, (key, tie)
        run = 1 if self._paging.is_total else pc.sum(self._are_last(table)).as_py()
        goes_on = run == table.num_rows and before == self._last
        self._alike = self._alike + run if goes_on else run
        self._rows += table.num_rows
        position = Position(key, tie, self._alike, first, self._rows, self._paging.moment)
        return position.cursor(self._paging.digest)

    def _are_last(self, table: pa.Table) -> pa.ChunkedArray:
        if self._last is None:
            raise AssertionError("BUG: rows are compared with the last one before there is one")
        key, tie = self._last
        keys, ties = table.columns[-PLACE_COLUMNS : -PLACE_COLUMNS + 2]
        return pc.and_(
            pc.equal(keys, pa.scalar(key, keys.type)), pc.equal(ties, pa.scalar(tie, ties.type))
        )
