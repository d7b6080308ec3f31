"""Pages of an ordered answer: the next one starts after the last row of this one, whatever has arrived since.

A cursor holds the values of the last row's sort keys, so it belongs to no snapshot. Where the query's own
keys may tie, columns that tell rows apart are sorted by as well.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from sqlglot import exp

from tracestore_query.answer.tagged_texts import json_of_value
from tracestore_query.errors import QueryCursorError
from tracestore_query.language.parameters import Parameters
from tracestore_query.language.value_macros import VALUE
from tracestore_query.tables.table_nodes import scanned_table

_VERSION: Final = 1
_KEY: Final = "__key"
_VALUE: Final = f"'{VALUE}'"
_TYPE: Final = re.compile(r"[A-Z][A-Z0-9_ ]*(\([0-9]+(, ?[0-9]+)?\))?(\[\])*")
# What tells spans, and rows of a dataset, apart; rows of other sources that tie may be shown twice or not.
_IDENTITY: Final = {
    "spans": ("project", "trace_id", "span_id"),
    "dataset_rows": ("project", "id"),
}


@dataclass(frozen=True, slots=True)
class Paging:
    """The way an answer is cut into pages.

    Attributes:
        keys: sort keys, which are the last output columns.
        limit: rows of a page, None where only a cap cuts it.
        digest: of the query: a cursor is good for the query it came from.
    """

    keys: int
    limit: int | None
    digest: str

    def wrapped(self, text: str) -> str:
        """Returns the engine's text with each key as its type and text."""
        keys = ", ".join(
            f'struct_pack(t := typeof("{_KEY}{i}"), v := if(typeof("{_KEY}{i}") = {_VALUE}, '
            f'to_json("{_KEY}{i}")::VARCHAR, CAST("{_KEY}{i}" AS VARCHAR))) AS "{_KEY}{i}"'
            for i in range(self.keys)
        )
        return f"SELECT * REPLACE ({keys}) FROM ({text})"  # noqa: S608 - of a checked tree

    def cursor_after(self, row: pa.RecordBatch) -> str:
        """Returns the cursor of a page whose last row is given."""
        keys = [column[0].as_py() for column in row.columns[-self.keys :]]
        held = {"v": _VERSION, "q": self.digest, "k": [[key["t"], key["v"]] for key in keys]}
        return base64.urlsafe_b64encode(json.dumps(held, separators=(",", ":")).encode()).decode()


def paged(tree: exp.Expr, sql: str, parameters: Parameters, cursor: str) -> Paging:
    """Adds sort keys to a query, and a condition that leaves out what earlier pages showed.

    Args:
        tree: a checked statement; changed in place.
        sql: its text.
        parameters: its parameters.
        cursor: of the page before; empty for the first page.

    Raises:
        QueryCursorError: where the query has no order, or the cursor is of another query.
    """
    select = tree.unnest() if isinstance(tree, exp.Subquery) else tree
    order = select.args.get("order")
    if not isinstance(select, exp.Select) or order is None:
        raise QueryCursorError("cannot page query: it needs ORDER BY, and no UNION around it")
    keys = [_Key.of(each, select) for each in order.expressions]
    keys += [_Key(each) for each in _identity(select) if each not in [key.value for key in keys]]
    digest = hashlib.sha256(f"{sql}\0{parameters!r}".encode()).hexdigest()[:16]
    if cursor:
        _start_after(select, keys, _decoded(cursor, digest, len(keys)))
    for i, key in enumerate(keys):
        name = f"{_KEY}{i}"
        select.append("expressions", exp.alias_(key.value.copy(), name, quoted=True))
        key.order(exp.column(name, quoted=True))
    order.set("expressions", [key.ordered for key in keys])
    limit = select.args.get("limit")
    rows = limit.expression if limit is not None else None
    number = int(str(rows.this)) if isinstance(rows, exp.Literal) and rows.is_int else None
    return Paging(len(keys), number, digest)


class _Key:
    """One sort key of a paged query."""

    def __init__(self, value: exp.Expr, ordered: exp.Ordered | None = None) -> None:
        self.value = value
        self.ordered = ordered.copy() if ordered is not None else exp.Ordered(this=value.copy())
        self.descending = bool(self.ordered.args.get("desc"))
        self.nulls_first = bool(self.ordered.args.get("nulls_first"))

    @classmethod
    def of(cls, ordered: exp.Expr, select: exp.Select) -> _Key:
        """Returns a key of ORDER BY; a position or alias stands for its item of the select list."""
        value = ordered.this if isinstance(ordered, exp.Ordered) else ordered
        kept = ordered if isinstance(ordered, exp.Ordered) else None
        return cls(_meant(value, select).copy(), kept)

    def order(self, column: exp.Expr) -> None:
        """Sorts by a column of the select list instead."""
        self.ordered.set("this", column)

    def after(self, bound: exp.Expr | None) -> exp.Expr:
        """Returns whether a row's key comes after a value; None is NULL."""
        missing = exp.Is(this=self.value.copy(), expression=exp.null())
        if bound is None:
            return exp.Not(this=missing) if self.nulls_first else exp.false()
        kind = exp.LT if self.descending else exp.GT
        beyond = kind(this=self.value.copy(), expression=bound)
        return beyond if self.nulls_first else exp.paren(exp.Or(this=beyond, expression=missing))

    def same(self, bound: exp.Expr | None) -> exp.Expr:
        """Returns whether a row's key is a value."""
        if bound is None:
            return exp.Is(this=self.value.copy(), expression=exp.null())
        return exp.EQ(this=self.value.copy(), expression=bound.copy())


def _meant(value: exp.Expr, select: exp.Select) -> exp.Expr:
    if isinstance(value, exp.Literal) and value.is_int:
        position = int(str(value.this))
        if 0 < position <= len(select.expressions):
            value = select.expressions[position - 1].unalias()
    elif isinstance(value, exp.Column) and not value.table:
        for each in select.expressions:
            if each.alias.lower() == value.name.lower():
                value = each.unalias()
                break
    if isinstance(value, exp.Var) or value.name.upper() == "ALL":
        raise QueryCursorError("cannot page query: write the columns of ORDER BY out")
    if value.find(exp.Star) is not None and value.find(exp.Func) is None:
        raise QueryCursorError(
            "cannot page query: name the columns of ORDER BY, not their place in *"
        )
    return value


def _identity(select: exp.Select) -> list[exp.Expr]:
    """Returns what tells rows of the answer apart, as far as the query shows it."""
    group = select.args.get("group")
    if group is not None:
        return [_meant(each, select).copy() for each in group.expressions]
    from_ = select.args.get("from_")
    table = from_.this if from_ is not None else None
    plain = not (select.args.get("distinct") or select.args.get("joins"))
    aggregated = any(each.find(exp.AggFunc) for each in select.expressions)
    if not plain or aggregated or not isinstance(table, exp.Table):
        return []
    name = scanned_table(table) or ""
    alias = table.alias or None
    return [exp.column(column, table=alias) for column in _IDENTITY.get(name, ())]


def _start_after(
    select: exp.Select, keys: list[_Key], values: list[tuple[str, str | None]]
) -> None:
    """Adds to a query that its rows come after the values, and drops its OFFSET."""
    bounds = [None if text is None else _bound(kind, text) for kind, text in values]
    condition: exp.Expr = exp.false()
    for key, bound in reversed(list(zip(keys, bounds, strict=True))):
        later = exp.And(this=key.same(bound), expression=exp.paren(condition))
        condition = exp.Or(this=key.after(bound), expression=exp.paren(later))
    windows = any(each.find(exp.Window) for each in select.expressions)
    clause = "qualify" if windows else "having" if select.args.get("group") else "where"
    before = select.args.get(clause)
    whole: exp.Expr = exp.paren(condition)
    if before is not None:
        whole = exp.And(this=exp.paren(before.this), expression=whole)
    holder = {"qualify": exp.Qualify, "having": exp.Having, "where": exp.Where}[clause]
    select.set(clause, holder(this=whole))
    select.set("offset", None)


def _bound(kind: str, text: str) -> exp.Expr:
    """Returns a sort key of the page before; of several kinds in its data, it is JSON."""
    if kind != VALUE:
        return exp.cast(exp.Literal.string(text), _type(kind))
    try:
        json_text = json_of_value(json.loads(text))
    except (ValueError, KeyError, TypeError):
        raise _bad() from None
    return exp.cast(exp.Literal.string(json_text), "JSON")


def _type(text: str) -> exp.DataType:
    if _TYPE.fullmatch(text) is None:
        raise _bad()
    try:
        return exp.DataType.build(text, dialect="duckdb")
    except Exception:  # noqa: BLE001 - whatever the parser makes of a text of our own
        raise _bad() from None


def _decoded(cursor: str, digest: str, keys: int) -> list[tuple[str, str | None]]:
    try:
        held: Any = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        version, query, values = held["v"], held["q"], [(kind, text) for kind, text in held["k"]]
    except (ValueError, KeyError, TypeError, binascii.Error, UnicodeError):
        raise _bad() from None
    if version != _VERSION or len(values) != keys:
        raise _bad()
    if query != digest:
        raise QueryCursorError("cannot page query: the cursor is of another query or parameters")
    if not all(
        isinstance(kind, str) and (text is None or isinstance(text, str)) for kind, text in values
    ):
        raise _bad()
    return values


def _bad() -> QueryCursorError:
    return QueryCursorError("cannot page query: this is no cursor of ours; start with an empty one")
