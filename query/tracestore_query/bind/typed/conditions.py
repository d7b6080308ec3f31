"""Comparisons and conditions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tracestore_query.bind.typed import combined
from tracestore_query.bind.typed.context import Context, Expressions
from tracestore_query.bind.values.sources import Bound
from tracestore_query.bind.values.uses import BOOL, Use, Want

_ORDERED = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_NULL_SAFE = (exp.NullSafeEQ, exp.NullSafeNEQ)
_PRESENT = Want(Use.PRESENT)


def conditions(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds what must be true, or false, of a row."""
    for child in list(node.iter_expressions()):
        binder.condition(child, context)
    return Bound(node, "BOOLEAN")


def comparison(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds a comparison of two values."""
    rows = _rows([node.this, node.expression])
    if rows is not None:
        _compare_rows(binder, rows, context, ordered=isinstance(node, _ORDERED))
        return Bound(node, "BOOLEAN")
    left = binder.bind(node.this, context)
    if isinstance(node.expression, exp.Any | exp.All):
        return _with_any(binder, node, left, context)
    right = binder.bind(node.expression, context)
    compare(binder, [left, right], ordered=isinstance(node, _ORDERED))
    if isinstance(node, _NULL_SAFE):
        return _null_safe(node, left, right)
    return Bound(node, "BOOLEAN")


def _null_safe(node: exp.Expr, left: Bound, right: Bound) -> Bound:
    """Returns a comparison to which NULL is a value: what is none of the other side's type is another one."""
    lost = [
        exp.and_(
            side.source.convert(_PRESENT).is_(exp.null()).not_(), side.node.copy().is_(exp.null())
        )
        for side, other in ((left, right), (right, left))
        if side.source is not None
        and other.source is None
        and not isinstance(other.node, exp.Literal)
    ]
    bound = Bound(node, "BOOLEAN")
    if lost:
        is_distinct = exp.Boolean(this=isinstance(node, exp.NullSafeNEQ))
        bound.put(exp.Case(ifs=[exp.If(this=lost[0], true=is_distinct)], default=node.copy()))
    return bound


def _with_any(binder: Expressions, node: exp.Expr, left: Bound, context: Context) -> Bound:
    """Binds a comparison with any or all items of a list, or rows of a query."""
    holder = node.expression.this
    while isinstance(holder, exp.Paren):
        holder = holder.this
    if isinstance(holder, exp.Query):
        columns = binder.names.query(holder, context)
        if columns is not None and len(columns) == 1:
            compare(binder, [left, columns[0]], ordered=isinstance(node, _ORDERED))
            return Bound(node, "BOOLEAN")
        if left.source is not None:
            binder.settle(left)
        return Bound(node, "BOOLEAN")
    _among(binder, left, binder.bind(holder, context), ordered=isinstance(node, _ORDERED))
    return Bound(node, "BOOLEAN")


def in_(binder: Expressions, node: exp.In, context: Context) -> Bound:
    """Binds a value and those among which it is looked for."""
    query = node.args.get("query")
    if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Values):
        query = node.expressions[0]
    field = node.args.get("field")
    members = _members(node.this)
    rows = _rows([node.this, *node.expressions]) if query is None and field is None else None
    if rows is not None:
        _compare_rows(binder, rows, context)
        return Bound(node, "BOOLEAN")
    if query is not None and members is not None:
        _among_rows(binder, members, query, context)
        return Bound(node, "BOOLEAN")
    left = binder.bind(node.this, context)
    if query is not None:
        columns = binder.names.query(query, context)
        if columns is not None and len(columns) == 1:
            compare(binder, [left, columns[0]])
        elif left.source is not None:
            binder.settle(left)
    elif field is not None:
        _among(binder, left, binder.bind(field, context))
    else:
        compare(binder, [left, *(binder.bind(each, context) for each in node.expressions)])
    return Bound(node, "BOOLEAN")


def between(binder: Expressions, node: exp.Between, context: Context) -> Bound:
    """Binds a value and its bounds."""
    sides = [
        binder.bind(each, context) for each in (node.this, node.args["low"], node.args["high"])
    ]
    compare(binder, sides, ordered=True)
    return Bound(node, "BOOLEAN")


def is_(binder: Expressions, node: exp.Is, context: Context) -> Bound:
    """Binds IS NULL, IS TRUE and the like."""
    bound = binder.bind(node.this, context)
    is_null = isinstance(node.expression, exp.Null)
    if bound.source is not None:
        bound.take(_PRESENT if is_null else BOOL)
    return Bound(node, "BOOLEAN")


def exists(binder: Expressions, node: exp.Exists, context: Context) -> Bound:
    """Binds the query of an EXISTS."""
    if isinstance(node.this, exp.Query):
        binder.names.query(node.this, context)
    return Bound(node, "BOOLEAN")


def _members(node: exp.Expr) -> list[exp.Expr] | None:
    """Returns the members of a row or struct that is written out, None where a node is none."""
    is_row = isinstance(node, exp.Anonymous) and str(node.this).lower() == "row"
    if is_row or isinstance(node, exp.Tuple):
        return list(node.expressions)
    if not isinstance(node, exp.Struct):
        return None
    return [
        each.expression if isinstance(each, exp.PropertyEQ) else each for each in node.expressions
    ]


def _rows(nodes: Sequence[exp.Expr]) -> list[list[exp.Expr]] | None:
    """Returns the members of rows that are compared, None where these are not written out or not alike."""
    rows = [_members(node) for node in nodes]
    known = [row for row in rows if row is not None]
    return known if len(known) == len(rows) and len({len(row) for row in known}) == 1 else None


def _compare_rows(
    binder: Expressions,
    rows: Sequence[Sequence[exp.Expr]],
    context: Context,
    *,
    ordered: bool = False,
) -> None:
    """Binds rows that are compared member by member."""
    for members in zip(*rows, strict=True):
        sides = [binder.bind(each, context) for each in members]
        # Members of rows that are NULL are equal: what is none of the other's type must not become NULL.
        if ordered or not combined.as_values_where_kinds_differ(sides, binder.type_of):
            compare(binder, sides, ordered=ordered)


def _among_rows(
    binder: Expressions, members: Sequence[exp.Expr], query: exp.Expr, context: Context
) -> None:
    """Binds a row that is looked for among those of a query."""
    sides = [binder.bind(each, context) for each in members]
    columns = binder.names.query(query, context) or []
    for side, column in zip(sides, columns, strict=False):
        compare(binder, [side, column])
    for side in sides[len(columns) :]:
        if side.source is not None:
            binder.settle(side)


def _among(binder: Expressions, left: Bound, items: Bound, *, ordered: bool = False) -> None:
    combined.among(left, items, binder.type_of, binder.settle, ordered=ordered)


def compare(binder: Expressions, sides: Sequence[Bound], *, ordered: bool = False) -> None:
    """Takes the sides of a comparison."""
    combined.compare(sides, binder.type_of, binder.settle, ordered=ordered)
