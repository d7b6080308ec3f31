"""Values of which each row gives one, lists and structs of values, conversions, and constants."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tracestore_query.bind.typed import combined
from tracestore_query.bind.typed.call_forms import arguments
from tracestore_query.bind.typed.conditions import compare
from tracestore_query.bind.typed.context import Context, Expressions
from tracestore_query.bind.typed.functions import comprehension
from tracestore_query.bind.typed.names import of_type, spelled_type
from tracestore_query.bind.values.sources import Bound, Expression, kinds_together
from tracestore_query.bind.values.types import (
    NULL,
    Kind,
    is_open,
    kind_of,
)
from tracestore_query.bind.values.uses import Use, Want
from tracestore_query.language.path_syntax import name_of, steps_of
from tracestore_query.language.replacement import put_in_place

_OWN_KINDS = frozenset({Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN})


def case(binder: Expressions, node: exp.Case, context: Context) -> Bound:
    """Binds CASE: what it compares, and the values of which each row gives one."""
    ifs = node.args.get("ifs") or []
    if node.this is not None:
        sides = [binder.bind(each, context) for each in (node.this, *(each.this for each in ifs))]
        compare(binder, sides)
    else:
        for each in ifs:
            binder.condition(each.this, context)
    values = [each.args["true"] for each in ifs]
    if node.args.get("default") is not None:
        values.append(node.args["default"])
    return _unified(binder, node, values, context)


def if_(binder: Expressions, node: exp.If, context: Context) -> Bound:
    """Binds a condition and the values of which each row gives one."""
    binder.condition(node.this, context)
    values = [node.args.get("true"), node.args.get("false")]
    return _unified(binder, node, [each for each in values if each is not None], context)


def coalesce(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds values of which each row gives the first that is there."""
    return _unified(binder, node, [node.this, *node.expressions], context)


def nullif(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds a value and the one that it must not be."""
    return _unified(binder, node, [node.this, node.expression], context, "nullif({})")


def _unified(
    binder: Expressions,
    node: exp.Expr,
    values: Sequence[exp.Expr],
    context: Context,
    form: str = "coalesce({})",
) -> Bound:
    """Binds values of which each row gives one: they are brought to one type.

    `form` is what the engine is asked for the type of values that have each a type of its own.
    """
    sides = [binder.bind(each, context) for each in values]
    if not any(side.source for side in sides):
        return Bound(node, find_type=lambda: _common_type(binder, sides, form))
    kinds = kinds_together(
        [each.source for each in sides], [binder.type_of(each) for each in sides]
    )
    unified = combined.unify(sides, binder.type_of)
    if unified is not None and (kind_of(unified) in _OWN_KINDS or is_open(unified)):
        known = kinds if is_open(unified) else None
        return Bound(node, unified, Expression(node, unified, known))
    return Bound(node, None if unified == NULL else unified)


def _common_type(binder: Expressions, sides: Sequence[Bound], form: str) -> str | None:
    """Returns the type that the engine gives values of which each row gives one."""
    types = [binder.type_of(side) for side in sides]
    if None in types:
        return None
    nulls = ["NULL" if each == NULL else f"CAST(NULL AS {each})" for each in types]
    return binder.types.of(form.format(", ".join(nulls)))


def array(binder: Expressions, node: exp.Array, context: Context) -> Bound:
    """Binds the items of a list: they are brought to one type."""
    if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Comprehension):
        return comprehension(binder, node, node.expressions[0], context)
    sides = [binder.bind(each, context) for each in node.expressions]
    if not any(side.source for side in sides):
        return Bound(node, find_type=lambda: _common_type(binder, sides, "[{}]"))
    unified = combined.unify(sides, binder.type_of)
    return of_type(node, f"{unified}[]" if unified not in {None, NULL} else None)


def struct(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds members, each as it is."""
    for each in list(node.expressions) if isinstance(node, exp.Struct) else ():
        steps = steps_of(each) if isinstance(each, exp.Column | exp.Dot | exp.Bracket) else None
        if steps:
            # A member without a name has that of its path.
            name = exp.to_identifier(name_of(steps), quoted=True)
            member = exp.PropertyEQ(this=name, expression=exp.null())
            put_in_place(each, member)
            member.set("expression", each)
    held = [binder.bare(each, context) for each in arguments(node)]

    def find_type() -> str | None:
        types = [Bound(each.node, binder.type_of(each)) for each in held]
        return binder.calls.type_of(node, types)

    return Bound(node, find_type=find_type)


def cast(binder: Expressions, node: exp.Cast, context: Context) -> Bound:
    """Binds a conversion: of values of several kinds each is converted where it can be."""
    bound = binder.bind(node.this, context)
    to = node.to
    if bound.source is not None:
        value = bound.source.convert(Want(Use.CAST, to))
        put_in_place(node, value)
        return Bound(value, spelled_type(binder.types, to))
    return Bound(node, spelled_type(binder.types, to))


def typeof(binder: Expressions, node: exp.Typeof, context: Context) -> Bound:
    """Binds the question for a value's own type."""
    bound = binder.bind(node.this, context)
    if bound.source is None:
        return Bound(node, "VARCHAR")
    value = bound.source.convert(Want(Use.TYPEOF))
    put_in_place(node, value)
    return Bound(value, "VARCHAR")
