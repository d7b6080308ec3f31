"""Names, and what lies in the things that they name."""

from __future__ import annotations

from sqlglot import exp

from tracestore_query.bind.typed.context import Context, Expressions, Local
from tracestore_query.bind.typed.engine_types import EngineTypes
from tracestore_query.bind.values import json_values, tagged_values
from tracestore_query.bind.values.sources import Bound, Expression, ItemText
from tracestore_query.bind.values.types import (
    ITEM,
    Kind,
    is_wavering,
    item_type,
)
from tracestore_query.bind.values.uses import BARE, Use, Want
from tracestore_query.language.path_syntax import Step, steps_of
from tracestore_query.language.replacement import put_in_place
from tracestore_query.language.value_macros import VALUE as VALUE_TYPE


def accessed(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds a chain of names, or an item or member of something else."""
    if _is_chain(node):
        return _chain(binder, node, context)
    if isinstance(node.this, exp.Star):
        return Bound(node)
    if isinstance(node, exp.Bracket) and _is_index(node):
        return _item(binder, node, context)
    inner = binder.bind(node.this, context)
    step = _last_step(node)
    for each in node.expressions if isinstance(node, exp.Bracket) else ():
        binder.bare(each, context)
    if inner.source is None or step is None:
        return _member(binder, node, inner)
    inside = _inside(inner.source, [step])
    if inside is not None:
        return Bound(node, ITEM, inside)
    binder.settle(inner)
    return _member(binder, node, inner)


def _chain(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds a chain of names."""
    steps = steps_of(node) or []
    if not steps or (steps[0].text.startswith("__") and steps[0].text not in context.scope.sources):
        return Bound(node)  # Ours: users' names cannot begin so.
    local = context.locals.get(steps[0].text.lower())
    if local is not None:
        return _local(binder, node, steps, local)
    if isinstance(node, exp.Identifier):
        return Bound(node)
    return binder.names.chain(node, steps, context)


def _local(binder: Expressions, node: exp.Expr, steps: list[Step], local: Local) -> Bound:
    """Binds what a lambda is called with, or what lies in it."""
    name = exp.column(exp.to_identifier(steps[0].text, quoted=steps[0].exact))
    if local.type is None:
        return Bound(node)
    if local.key is not None:
        return Bound(node, ITEM, ItemText(name))
    if len(steps) == 1:
        held = Expression(name, local.type)
        return Bound(node, local.type, held if is_wavering(local.type) else None)
    inside = _inside(Expression(name, local.type), steps[1:])
    if inside is not None:
        return Bound(node, ITEM, inside)
    return _member(binder, node, Bound(name, local.type))


def _member(binder: Expressions, node: exp.Expr, inner: Bound) -> Bound:
    """Binds a member or item of one of the engine's own structs, maps and lists."""
    held = binder.type_of(inner)
    if held is None:
        return Bound(node)
    copy = node.copy()
    first = copy
    while isinstance(first.this, exp.Dot | exp.Bracket | exp.Paren):
        first = first.this
    first.this.replace(exp.paren(exp.cast(exp.null(), tagged_values.data_type(held))))
    return of_type(node, binder.types.of(copy.sql(dialect="duckdb")))


def _item(binder: Expressions, node: exp.Bracket, context: Context) -> Bound:
    """Binds an item or a slice of a list: of a path, they count from 0."""
    inner = binder.bind(node.this, context)
    inside = node.expressions[0]
    bounds = [inside.this, inside.expression] if isinstance(inside, exp.Slice) else [inside]
    is_path = (
        inner.source is not None
        and _is_chain(inner.node)
        and not isinstance(inner.source, Expression)
    )
    for each in bounds:
        if each is None:
            continue
        bound = binder.bind(each, context.within_index())
        if bound.source is not None:
            bound.take(Want(Use.NUMBER, tagged_values.data_type("BIGINT")))
        if is_path:
            bound.put(_from_one(bound.node))
    source = inner.source
    if source is not None and source.kinds == {Kind.TEXT} and isinstance(inside, exp.Slice):
        inner.take(Want(Use.TEXT))
        return Bound(node, "VARCHAR")
    lists = source.lists if source is not None else binder.type_of(inner)
    if source is not None and lists is not None:
        inner.take(BARE if source.type == lists else Want(Use.LIST, item=item_type(lists)))
    if lists is None or not lists.endswith("]"):
        return _member(binder, node, inner)
    if isinstance(inside, exp.Slice):
        return of_type(node, lists)
    if not isinstance(node.expressions[0], exp.Literal | exp.Neg):
        # The generator counts an index from 1 where it sees that it is a number.
        item = tagged_values.call("list_extract", inner.node.copy(), node.expressions[0].copy())
        put_in_place(node, item)
        return of_type(item, item_type(lists))
    return of_type(node, item_type(lists))


def subquery(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds a query that stands for one value."""
    columns = binder.names.query(node, context)
    if columns is None or len(columns) != 1:
        return Bound(node)
    binder.settle(columns[0])
    return of_type(node, binder.type_of(columns[0]))


def of_type(node: exp.Expr, sql_type: str | None) -> Bound:
    """Returns what is bound already, by its type."""
    if sql_type is not None and is_wavering(sql_type):
        return Bound(node, sql_type, Expression(node, sql_type))
    return Bound(node, sql_type)


def _is_chain(node: exp.Expr) -> bool:
    return steps_of(node) is not None


def _is_index(node: exp.Bracket) -> bool:
    """Tells whether brackets hold an index or a slice, and no key."""
    inside = node.expressions[0] if len(node.expressions) == 1 else None
    return inside is not None and not (isinstance(inside, exp.Literal) and inside.is_string)


def _last_step(node: exp.Expr) -> Step | None:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        return Step(str(node.expression.this), exact=bool(node.expression.args.get("quoted")))
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1:
        inside = node.expressions[0]
        if isinstance(inside, exp.Literal) and inside.is_string:
            return Step(str(inside.this), exact=True)
    return None


def _inside(source: object, steps: list[Step]) -> Expression | None:
    """Returns what lies at steps inside values of several kinds, None where the engine has it."""
    if isinstance(source, ItemText):
        return Expression(json_values.at(source.convert(BARE), steps), ITEM)
    sql_type = getattr(source, "type", None)
    if not isinstance(source, Expression) or sql_type not in {ITEM, VALUE_TYPE}:
        return None
    if sql_type == VALUE_TYPE:
        text = tagged_values.call("__as_container", source.convert(BARE))
        return Expression(json_values.at(text, steps), ITEM)
    return Expression(json_values.at(source.convert(BARE), steps), ITEM)


def _from_one(index: exp.Expr) -> exp.Expr:
    """Returns an index that counts from 0 as the engine counts: from 1, or from the end where negative."""
    if isinstance(index, exp.Literal) and index.is_int:
        return exp.Literal.number(int(str(index.this)) + 1)
    copy = exp.paren(index.copy())
    later = exp.Add(this=copy, expression=exp.Literal.number(1))
    is_from_end = exp.LT(this=copy.copy(), expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=is_from_end, true=copy.copy())], default=later)


def spelled_type(types: EngineTypes, to: exp.DataType) -> str | None:
    """Returns a type's name as the engine spells it."""
    return types.of(f"CAST(NULL AS {to.sql(dialect='duckdb')})")
