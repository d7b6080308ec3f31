"""Expressions: each gets a type, and its place decides which of its values count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from tracestore_query.bind.text_search import NAMES as SEARCHES
from tracestore_query.bind.typed import choices, conditions, functions, names, searching
from tracestore_query.bind.typed.calls import Calls, constant_type, found_type
from tracestore_query.bind.typed.context import Context, Expressions, Names
from tracestore_query.bind.typed.engine_types import EngineTypes
from tracestore_query.bind.values.sources import Bound, Expression
from tracestore_query.bind.values.types import ITEM
from tracestore_query.bind.values.uses import BARE, BOOL, VALUE, Use, Want
from tracestore_query.language.path_syntax import steps_of
from tracestore_query.language.value_macros import VALUE as VALUE_TYPE

CONDITIONS = (exp.And, exp.Or, exp.Not, exp.Xor, exp.Where, exp.Having, exp.Qualify)
COMPARISONS = (
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
    *(exp.NullSafeEQ, exp.NullSafeNEQ),
)
_PLACEHOLDERS = (exp.Placeholder, exp.Parameter)
_CONVERSIONS = (exp.Cast, exp.TryCast)


class TypedExpressions(Expressions):
    """The binder of expressions."""

    def __init__(self, looked_up: Names, types: EngineTypes) -> None:
        self.names = looked_up
        self.types = types
        self.calls = Calls(types)

    def bare(self, node: exp.Expr, context: Context) -> Bound:
        """Binds an expression and takes it as it is: values of several kinds as tagged ones."""
        bound = self.bind(node, context)
        self.settle(bound)
        return bound

    def settle(self, bound: Bound) -> None:
        """Takes an expression as it is, with JSON text as tagged values."""
        source = bound.source
        if source is None:
            return
        if source.type == ITEM:
            kinds = source.kinds
            bound.take(VALUE)
            bound.type, bound.source = VALUE_TYPE, Expression(bound.node, VALUE_TYPE, kinds)
        elif source.type == f"{ITEM}[]":
            bound.take(Want(Use.LIST, item=VALUE_TYPE))
            bound.type = f"{VALUE_TYPE}[]"
            bound.source = Expression(bound.node, bound.type)
        else:
            bound.take(BARE)

    def bind(self, node: exp.Expr, context: Context) -> Bound:
        """Binds an expression; what it returns still waits to be taken for its use."""
        if isinstance(node, exp.Paren | exp.Alias) and (
            isinstance(node, exp.Alias) or steps_of(node) is None
        ):
            return self.bind(node.this, context)
        if isinstance(node, exp.Anonymous) and str(node.this).lower() in SEARCHES:
            return searching.search(self, node, context)
        constant = constant_type(node)
        return Bound(node, constant) if constant else _handler(node)(self, node, context)

    def type_of(self, bound: Bound) -> str | None:
        """Returns the type of what is bound, asked of the engine where nobody knows it."""
        return found_type(bound)

    def condition(self, node: exp.Expr, context: Context) -> None:
        """Binds an expression that must be true."""
        bound = self.bind(node, context)
        if bound.source is not None:
            bound.take(BOOL)


_Handler = Callable[[Expressions, Any, Context], Bound]
_BY_CLASS: dict[type[exp.Expr], _Handler] = {
    exp.Array: choices.array,
    exp.Between: conditions.between,
    exp.Bracket: names.accessed,
    exp.Case: choices.case,
    exp.Cast: choices.cast,
    exp.Coalesce: choices.coalesce,
    exp.Column: names.accessed,
    exp.Cube: functions.clause,
    exp.Dot: names.accessed,
    exp.Exists: conditions.exists,
    exp.Explode: functions.explode,
    exp.Filter: functions.filter_,
    exp.Group: functions.clause,
    exp.GroupingSets: functions.clause,
    exp.Identifier: names.accessed,
    exp.If: choices.if_,
    exp.In: conditions.in_,
    exp.Is: conditions.is_,
    exp.Nullif: choices.nullif,
    exp.Order: functions.clause,
    exp.Paren: names.accessed,
    exp.Rollup: functions.clause,
    exp.Struct: choices.struct,
    exp.TryCast: choices.cast,
    exp.Tuple: choices.struct,
    exp.Typeof: choices.typeof,
    exp.Window: functions.window,
    exp.WithinGroup: functions.within_group,
    **dict.fromkeys(COMPARISONS, conditions.comparison),
    **dict.fromkeys(CONDITIONS, conditions.conditions),
}


def _handler(node: exp.Expr) -> _Handler:
    if isinstance(node, exp.Query):
        return names.subquery
    return _BY_CLASS.get(type(node), functions.call)
