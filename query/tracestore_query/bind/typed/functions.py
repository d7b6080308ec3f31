"""Functions and operators, and what stands inside and around them: lambdas, orders, windows and filters."""

from __future__ import annotations

from sqlglot import exp

from tracestore_query.bind.typed.call_forms import arguments
from tracestore_query.bind.typed.context import Context, Expressions, Local
from tracestore_query.bind.typed.engine_types import is_aggregate
from tracestore_query.bind.typed.item_keys import take_texts
from tracestore_query.bind.typed.names import of_type
from tracestore_query.bind.typed.reducing import one_item_type, reduces
from tracestore_query.bind.values import tagged_values
from tracestore_query.bind.values.sources import Absent, Bound, Expression
from tracestore_query.bind.values.types import (
    NULL,
    Kind,
    is_wavering,
    item_type,
    kind_of,
)
from tracestore_query.bind.values.uses import BARE, Use, Want
from tracestore_query.language.dialect import generate


def call(binder: Expressions, node: exp.Expr, context: Context, suffix: str = "") -> Bound:
    """Binds a function or an operator."""
    if _own_lambda(node) is not None:
        return _lambda_call(binder, node, context)
    inner = context
    if is_aggregate(node, binder.types) and not suffix:
        inner = context.within_aggregate()
    held = [binder.bind(each, inner) for each in arguments(node)]
    _orders(binder, node, inner)
    if any(each.source for each in held):
        for each in held:
            binder.type_of(each)
    return binder.calls.bind(node, held, suffix=suffix)


def _orders(binder: Expressions, node: exp.Expr, context: Context) -> None:
    """Binds what rows or items are ordered by."""
    for child in node.iter_expressions():
        if isinstance(child, exp.Ordered):
            binder.bare(child.this, context)
        elif isinstance(child, exp.Order | exp.WithinGroup):
            _orders(binder, child, context)


def _lambda_call(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds a function of a list and a lambda, whose names stand for the list's items."""
    held: list[Bound] = []
    items: str | None = None
    for argument in arguments(node):
        function = argument.parent
        if not isinstance(function, exp.Lambda) or argument.arg_key != "this":
            bound = binder.bind(argument, context)
            sql_type = binder.type_of(bound)
            if items is None and bound.source is not None:
                items = item_type(bound.source.lists) if bound.source.kinds else None
            elif items is None and sql_type is not None and sql_type.endswith("]"):
                items = item_type(sql_type)
            held.append(bound)
            continue
        names = [each.name.lower() for each in function.expressions]
        local = None
        if len(held) == 1 and _called(node) in _TRANSFORMS:
            local = take_texts(held[0], names[0], [argument], binder.names.item_lists)
        if len(held) == 1 and local is None:
            _take_lists(held[0])
        given = {name: local or Local(items) for name in names[:1]}
        given |= {name: Local("BIGINT") for name in names[1:]}
        if len(names) > 1 and reduces(binder.types, node, names[1]):
            if items is not None and is_wavering(items):
                items = one_item_type(binder.types, function)
                held[0].take(Want(Use.LIST, item=items))
                held[0] = Bound(held[0].node, f"{items}[]")
            given |= {name: Local(items) for name in names[:2]}
        body = binder.bind(argument, context.having(given))
        binder.type_of(body)
        held.append(body)
    return binder.calls.bind(node, held)


def _take_lists(bound: Bound) -> None:
    """Takes the lists of what is a list in some rows only: a lambda's name stands for their items."""
    source = bound.source
    if source is None or Kind.LIST not in source.kinds or kind_of(source.type) is Kind.LIST:
        return
    lists = source.lists
    bound.take(Want(Use.LIST, item=item_type(lists)))
    bound.type, bound.source = lists, Expression(bound.node, lists)


def comprehension(
    binder: Expressions, node: exp.Expr, inner: exp.Comprehension, context: Context
) -> Bound:
    """Binds a list comprehension."""
    items = binder.bind(inner.args["iterator"], context)
    name = inner.expression.name.lower()
    bodies = [each for each in (inner.this, inner.args.get("condition")) if each is not None]
    local = take_texts(items, name, bodies, binder.names.item_lists)
    sql_type = binder.type_of(items)
    if items.source is not None:
        lists = items.source.lists
        items.take(BARE if items.source.type == lists else Want(Use.LIST, item=item_type(lists)))
        sql_type = lists
    item = item_type(sql_type) if sql_type is not None and sql_type.endswith("]") else None
    within = context.having({name: local or Local(item)})
    body = binder.bare(inner.this, within)
    if inner.args.get("condition") is not None:
        binder.condition(inner.args["condition"], within)
    given = binder.type_of(body)
    return of_type(node, f"{given}[]" if given is not None else None)


def window(binder: Expressions, node: exp.Window, context: Context) -> Bound:
    """Binds a window function, its partitions and its order."""
    function = node.this
    while isinstance(function, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        if isinstance(function, exp.Filter):
            binder.condition(function.expression, context)
        function = function.this
    bound = call(binder, function, context, " OVER ()")
    for each in node.args.get("partition_by") or ():
        binder.bare(each, context)
    _orders(binder, node, context)
    _frame(binder, node.args.get("spec"), context)
    return Bound(
        node,
        bound.type,
        Expression(node, bound.type, bound.source.kinds) if bound.source and bound.type else None,
        bound.find_type,
    )


def _frame(binder: Expressions, spec: exp.Expr | None, context: Context) -> None:
    """Binds how many rows a window's frame reaches back and ahead."""
    for key in ("start", "end"):
        bound = spec.args.get(key) if spec is not None else None
        if isinstance(bound, exp.Expr):
            rows = binder.bind(bound, context)
            if rows.source is not None:
                rows.take(Want(Use.NUMBER, tagged_values.data_type("BIGINT")))


def filter_(binder: Expressions, node: exp.Filter, context: Context) -> Bound:
    """Binds an aggregate and the condition of its rows."""
    bound = binder.bind(node.this, context)
    binder.condition(node.expression, context)
    if bound.source is None:
        return Bound(node, bound.type, find_type=bound.find_type)
    return of_type(node, bound.type) if bound.type else Bound(node)


def within_group(binder: Expressions, node: exp.WithinGroup, context: Context) -> Bound:
    """Binds an aggregate of ordered values."""
    ordered = [each.this for each in node.expression.expressions]
    held = [binder.bind(each, context) for each in (*arguments(node.this), *ordered)]
    for each in held:
        binder.type_of(each)
    numbers = Want(Use.NUMBER)
    for each in held:
        if each.source is not None:
            each.take(numbers if each.source.kinds - {Kind.TEXT} else BARE)
    return Bound(node)


def explode(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds a list whose items become rows."""
    bound = binder.bind(node.this, context)
    if bound.source is None:
        held = binder.type_of(bound)
        return of_type(node, item_type(held) if held and held.endswith("]") else None)
    if isinstance(bound.source, Absent):
        bound.take(BARE)
        bound.put(tagged_values.null("VARCHAR[]"))
        return Bound(node, NULL, Expression(node, NULL))
    lists = bound.source.lists
    bound.take(BARE if bound.source.type == lists else Want(Use.LIST, item=item_type(lists)))
    return of_type(node, item_type(lists))


def clause(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds the parts of a clause as they are."""
    for child in list(node.iter_expressions()):
        if isinstance(child, exp.Ordered):
            binder.bare(child.this, context)
        elif not isinstance(child, exp.Identifier | exp.Literal):
            binder.bare(child, context)
    return Bound(node)


def _called(node: exp.Expr) -> str:
    return generate(node).partition("(")[0].lower()


_TRANSFORMS = frozenset({"list_transform", "array_transform", "list_apply", "array_apply", "apply"})
"""Functions that give what a lambda makes of a list's items."""


def _own_lambda(node: exp.Expr) -> exp.Lambda | None:
    return next((each for each in node.iter_expressions() if isinstance(each, exp.Lambda)), None)
