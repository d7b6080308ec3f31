"""The order of a paged query: taken out of its tree, so that pages are cut from the query as a whole.

A key of ORDER BY is a column of the answer, or an expression that becomes a hidden column behind the answer's own.
So does what tells rows apart where their keys tie.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sqlglot import exp

from tracestore_query.errors import QueryCursorError
from tracestore_query.language.dialect import generate
from tracestore_query.language.parameters import value_of
from tracestore_query.pages.choices import is_aggregate
from tracestore_query.pages.source_columns import IDENTITY
from tracestore_query.plan.top_n import gives_one_row_each, is_time
from tracestore_query.tables.names import STORED
from tracestore_query.tables.table_nodes import scanned_table

COLUMN: Final = "__c"
"""The name of a column of the whole query, before its number."""

_HIDDEN: Final = "__hidden"


@dataclass(frozen=True, slots=True)
class Key:
    """A sort key.

    Attributes:
        sql: its text, over the columns of the whole query by `COLUMN` and number; None where `name` says it.
        name: of the column that it is, as the answer calls it.
        modifier: direction and place of NULL, in the engine's words.
    """

    sql: str | None
    name: str
    modifier: str


@dataclass(slots=True)
class PageOrder:
    """The order of a paged query.

    Attributes:
        keys: sort keys.
        ties: texts of what tells rows with equal keys apart; None for all columns of the answer.
        hidden: how many columns stand behind the answer's own.
        rows: LIMIT, None where there is none.
        offset: OFFSET.
    """

    keys: list[Key] = field(default_factory=list)
    ties: list[str] | None = None
    hidden: int = 0
    rows: int | None = None
    offset: int = 0


def root_of(tree: exp.Expr) -> exp.Query:
    """Returns the query whose ORDER BY orders the answer.

    Raises:
        QueryCursorError: where there is none.
    """
    root = tree
    while isinstance(root, exp.Subquery) and not (root.args.get("order") or root.args.get("limit")):
        root = root.this
    if not isinstance(root, exp.Query) or not root.args.get("order"):
        raise QueryCursorError("cannot page query: it needs ORDER BY")
    return root


@contextlib.contextmanager
def names_kept(root: exp.Query) -> Iterator[None]:
    """Has items of a select list that are written anew inside keep the names that their texts gave them."""
    items = list(root.expressions) if isinstance(root, exp.Select) else []
    names = ["" if each.alias else generate(each) for each in items]
    yield
    for each, name in zip(list(root.expressions), names, strict=False):
        if name and generate(each) != name:
            each.replace(exp.alias_(each.copy(), name, quoted=True))


def add_identity(root: exp.Query) -> bool:
    """Orders by what tells rows of the one table apart that a query reads, where its rows are rows of that table.

    Returns:
        Whether it is so, and thus no two rows have equal keys.
    """
    table = only_table(root)
    name = scanned_table(table) if table is not None else None
    if table is None or name not in IDENTITY:
        return False
    alias = table.alias or (table.name if not isinstance(table.this, exp.Func) else None)
    for column in IDENTITY[name]:
        ordered = exp.Ordered(this=exp.column(column, table=alias), nulls_first=False)
        root.args["order"].append("expressions", ordered)
    return True


def only_table(root: exp.Query) -> exp.Table | None:
    """Returns the table that a query reads, where it gives one row or none for each row of it."""
    from_ = root.args.get("from_")
    table = from_.this if from_ is not None else None
    more = any(root.args.get(key) for key in _MORE_THAN_ROWS)
    if not isinstance(root, exp.Select) or not isinstance(table, exp.Table) or more:
        return None
    if any(table.args.get(key) for key in ("joins", "sample", "pivots")):
        return None
    return table if all(map(_is_of_one_row, root.expressions)) else None


_MORE_THAN_ROWS: Final = ("joins", "laterals", "group", "having", "distinct", "sample", "pivots")


def _is_of_one_row(item: exp.Expr) -> bool:
    """Tells whether an item gives one value a row; a window does, an aggregate without one does not."""
    if not gives_one_row_each(item):
        return False
    return not any(
        is_aggregate(node)
        and node.find_ancestor(exp.Window, exp.Select) is not None
        and not isinstance(node.find_ancestor(exp.Window, exp.Select), exp.Window)
        for node in item.walk()
        if node.find_ancestor(exp.Select) is item.find_ancestor(exp.Select)
    )


def time_key(root: exp.Query) -> tuple[exp.Column, bool] | None:
    """Returns the column of the first key and whether it descends, where it is the time of the only table."""
    table = only_table(root)
    name = scanned_table(table) if table is not None else None
    first = root.args["order"].expressions[0]
    if table is None or name is None or not isinstance(first, exp.Ordered):
        return None
    computes_over_rows = root.args.get("qualify") or root.find(exp.Window)
    alias = (table.alias or table.name).lower()
    if computes_over_rows or isinstance(table.this, exp.Func):
        return None
    if not is_time(first.this, alias, STORED[name]):
        return None
    aliases = {each.alias.lower() for each in root.expressions if each.alias}
    if not first.this.table and first.this.name.lower() in aliases:
        return None
    return first.this.copy(), bool(first.args.get("desc"))


def take_order(tree: exp.Expr, *, is_total: bool) -> PageOrder:
    """Takes ORDER BY, LIMIT and OFFSET out of a tree whose names are resolved.

    Args:
        tree: changed in place: hidden columns are added to it.
        is_total: whether no two rows have equal keys.

    Raises:
        QueryCursorError: naming a key that is none of the answer's columns and cannot be added to them.
    """
    root = root_of(tree)
    taken = PageOrder(rows=_number(root, "limit"), offset=_number(root, "offset") or 0)
    orders = list(root.args["order"].expressions)
    for each in orders:
        ordered = each if isinstance(each, exp.Ordered) else exp.Ordered(this=each)
        modifier = _modifier(ordered)
        taken.keys += [
            Key(*_key(value, root, taken), modifier) for value in _written_out(ordered.this, root)
        ]
    if not _chooses(root):
        root.set("order", None)
    root.set("limit", None)
    root.set("offset", None)
    taken.ties = [] if is_total else _grouped(root, taken)
    return taken


def _number(root: exp.Query, clause: str) -> int | None:
    node = root.args.get(clause)
    if node is None:
        return None
    value = node.args.get("expression") or node.args.get("count")
    options = node.args.get("limit_options")
    if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
        value = None
    number = int(str(value.this)) if isinstance(value, exp.Literal) and value.is_int else None
    if number is None and value is not None and isinstance(value_of(value), int):
        number = int(value_of(value))
    if number is None or number < 0:
        raise QueryCursorError(f"cannot page query: write its {clause.upper()} as a number of rows")
    return number


def _modifier(ordered: exp.Ordered) -> str:
    direction = "DESC" if ordered.args.get("desc") else "ASC"
    return f"{direction} NULLS {'FIRST' if ordered.args.get('nulls_first') else 'LAST'}"


def _written_out(value: exp.Expr, root: exp.Query) -> list[exp.Expr]:
    if isinstance(value, exp.Column | exp.Var) and value.name.upper() == "ALL":
        if not isinstance(root, exp.Select) or any(
            each.find(exp.Star) for each in root.expressions
        ):
            raise QueryCursorError("cannot page query: write the columns of ORDER BY out")
        return [exp.Literal.number(i) for i in range(1, len(root.expressions) + 1)]
    return [value]


def _key(value: exp.Expr, root: exp.Query, taken: PageOrder) -> tuple[str | None, str]:
    """Returns the text of a sort key, or the name of the column that it is."""
    if isinstance(value, exp.Literal) and value.is_int:
        return f'"{COLUMN}{int(str(value.this)) - 1}"', ""
    if not isinstance(root, exp.Select):
        if isinstance(value, exp.Column) and not value.table:
            return None, value.name
        raise QueryCursorError("cannot page query: order a UNION by columns of its answer")
    aliases = {each.alias.lower(): i for i, each in enumerate(root.expressions) if each.alias}
    if isinstance(value, exp.Column) and not value.table and value.name.lower() in aliases:
        return f'"{COLUMN}{aliases[value.name.lower()]}"', ""
    group = root.args.get("group")
    is_distinct = root.args.get("distinct") is not None and not _chooses(root)
    if is_distinct or (group is not None and group.args.get("all")):
        return _over_columns(value, root), ""
    return _hide(value, root, taken), ""


def _chooses(root: exp.Query) -> bool:
    """Tells whether a query has DISTINCT ON, whose ORDER BY says which rows it takes."""
    distinct = root.args.get("distinct")
    return isinstance(distinct, exp.Distinct) and distinct.args.get("on") is not None


def _over_columns(value: exp.Expr, root: exp.Select) -> str:
    """Returns an expression of the answer's columns: a DISTINCT may have no other column than it has."""
    items = {generate(each.unalias()): i for i, each in enumerate(root.expressions)}
    aliases = {each.alias.lower(): i for i, each in enumerate(root.expressions) if each.alias}

    def replaced(node: exp.Expr) -> exp.Expr:
        at = items.get(generate(node)) if isinstance(node, exp.Condition) else None
        if at is None and isinstance(node, exp.Column) and not node.table:
            at = aliases.get(node.name.lower())
        if at is not None:
            return exp.column(f"{COLUMN}{at}", quoted=True)
        if isinstance(node, exp.Column):
            raise QueryCursorError(
                "cannot page query: with DISTINCT or GROUP BY ALL, order by columns of the select list"
            )
        return node

    return generate(value.copy().transform(replaced))


def _hide(value: exp.Expr, root: exp.Select, taken: PageOrder) -> str:
    """Adds a hidden column to a SELECT; returns a name for it that `wrapped` numbers."""
    items = {each.alias.lower(): each.unalias() for each in root.expressions if each.alias}

    def meant(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table and node.name.lower() in items:
            return exp.paren(items[node.name.lower()].copy())
        return node

    name = f"{_HIDDEN}{taken.hidden}"
    root.append("expressions", exp.alias_(value.copy().transform(meant), name, quoted=True))
    taken.hidden += 1
    return hidden_column(taken.hidden - 1)


def hidden_column(number: int) -> str:
    """Returns the text of a hidden column, numbered from the first."""
    return f'"{_HIDDEN}{number}"'


def _grouped(root: exp.Query, taken: PageOrder) -> list[str] | None:
    """Returns what a query groups by, which no two of its rows share; None where it is not that simple."""
    group = root.args.get("group")
    if not isinstance(root, exp.Select) or group is None or root.args.get("distinct"):
        return None
    more = any(group.args.get(key) for key in ("all", "cube", "rollup", "grouping_sets", "totals"))
    nested = (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple, exp.Var)
    if more or any(isinstance(each, nested) for each in group.expressions):
        return None
    if any(not gives_one_row_each(each) for each in root.expressions):
        return None
    return [_key(each, root, taken)[0] or "" for each in group.expressions]
