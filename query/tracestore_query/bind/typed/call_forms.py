"""The form of a call that the engine is asked about: its arguments, and what stands for them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from sqlglot import exp

from tracestore_query.bind.values.types import NULL
from tracestore_query.language.dialect import generate
from tracestore_query.language.nodes import find_nodes
from tracestore_query.language.replacement import put_in_place
from tracestore_query.language.value_macros import VALUE

_WRAPPERS = (
    *(exp.Distinct, exp.Order, exp.IgnoreNulls, exp.RespectNulls, exp.HavingMax),
    *(exp.PropertyEQ, exp.Kwarg),
)
_NO_VALUES = (
    *(exp.Identifier, exp.Var, exp.DataType, exp.JSONPath, exp.IntervalSpan, exp.Star),
    *(exp.DataTypeParam, exp.TableAlias, exp.Ordered, exp.Where, exp.WindowSpec),
)
MAX_CONSTANT_PARTS = 40
"""Parts of a constant that the engine is asked about as it is written."""
_CONSTANTS = (
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.Array,
    exp.Neg,
    exp.Paren,
)

_EXAMPLE = f"CAST({{'__kind': 1, '__number': 1, '__rest': 0, '__text': NULL}} AS {VALUE})"
_SPELLED_LISTS = frozenset({"DOUBLE[]", "BIGINT[]", "VARCHAR[]", "BOOLEAN[]", "JSON[]"})
_MARK = "__argument{}__"


def arguments(node: exp.Expr) -> list[exp.Expr]:
    """Returns the values that a function or operator is called with, in the order of the tree."""
    found: list[exp.Expr] = []
    for child in node.iter_expressions():
        if isinstance(node, exp.PropertyEQ | exp.Kwarg) and child.arg_key == "this":
            continue
        if isinstance(child, _WRAPPERS):
            found += arguments(child)
        elif isinstance(child, exp.Lambda):
            found.append(child.this)
        elif not isinstance(child, _NO_VALUES):
            found.append(child)
    return found


def is_constant(node: exp.Expr) -> bool:
    """Tells whether an expression is made of nothing but literals, and short."""
    parts = list(itertools.islice(node.walk(), MAX_CONSTANT_PARTS + 1))
    return len(parts) <= MAX_CONSTANT_PARTS and all(isinstance(each, _CONSTANTS) for each in parts)


def null_of(sql_type: str | None) -> str:
    """Returns a NULL of a type."""
    return "NULL" if sql_type in {None, NULL} else f"CAST(NULL AS {sql_type})"


def example_of(sql_type: str | None) -> str:
    """Returns a value of a type, NULL for one that is none of tagged values, JSON or lists of what texts spell."""
    if sql_type in _SPELLED_LISTS:
        return f"CAST(['1'] AS {sql_type})"
    if sql_type == "JSON":
        return "CAST('1' AS JSON)"
    if sql_type in {VALUE, f"{VALUE}[]"}:
        return _EXAMPLE if sql_type == VALUE else f"[{_EXAMPLE}]"
    return null_of(sql_type)


def template(node: exp.Expr, count: int) -> str:
    """Returns the text of a call with marks in the places of its first arguments."""
    held = arguments(node)[:count]
    marks = [exp.column(_MARK.format(i)) for i in range(len(held))]
    # The arguments are taken out meanwhile: calls inside of one another would be copied once for each around them.
    for argument, mark in zip(held, marks, strict=True):
        put_in_place(argument, mark)
    copy = node.copy()
    for argument, mark in zip(held, marks, strict=True):
        put_in_place(mark, argument)
    for order in list(find_nodes(copy, exp.Order)):
        # What items are ordered by does not change the type.
        if order.this is not None:
            order.replace(order.this)
    return generate(copy)


def filled(form: str, texts: Sequence[str]) -> str:
    """Returns such a text with others in the places of the marks."""
    for i, text in enumerate(texts):
        form = form.replace(_MARK.format(i), text)
    return form
