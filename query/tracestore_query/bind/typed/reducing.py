"""Functions that make one value of a list's items with a lambda: what they gave so far is of the items' type."""

from __future__ import annotations

from sqlglot import exp

from tracestore_query.bind.typed.call_forms import arguments
from tracestore_query.bind.typed.engine_types import EngineTypes
from tracestore_query.bind.values import tagged_values
from tracestore_query.language.dialect import generate
from tracestore_query.language.value_macros import VALUE

_ITEM_TYPES = ("DOUBLE", "VARCHAR", "BOOLEAN")
_ANY = "UUID"
"""A type that no function gives by itself."""


def reduces(types: EngineTypes, node: exp.Expr, second: str) -> bool:
    """Tells whether the second name of a call's lambda stands for an item, and not for its place."""
    copy = node.copy()
    for argument in arguments(copy):
        if isinstance(argument.parent, exp.Lambda):
            argument.replace(exp.column(second))
        else:
            is_list = argument is arguments(copy)[0]
            argument.replace(tagged_values.null(f"{_ANY}[]" if is_list else _ANY))
    return types.of(generate(copy)) == _ANY


def one_item_type(types: EngineTypes, function: exp.Lambda) -> str:
    """Returns the type of items of several kinds that a lambda makes one of the same type of."""
    for sql_type in _ITEM_TYPES:
        body = function.this.copy()
        root = exp.paren(body)
        for column in list(root.find_all(exp.Column)):
            column.replace(tagged_values.null(sql_type))
        if types.of(generate(root)) == sql_type:
            return sql_type
    return VALUE
