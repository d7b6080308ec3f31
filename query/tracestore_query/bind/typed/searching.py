"""Text search: each text is looked through by its type, and every word must stand in one of them."""

from __future__ import annotations

from sqlglot import exp

from tracestore_query.bind.typed.context import Context, Expressions
from tracestore_query.bind.values import tagged_values
from tracestore_query.bind.values.found_rows import pass_on
from tracestore_query.bind.values.sources import Absent, Bound
from tracestore_query.bind.values.types import Kind, kind_of
from tracestore_query.bind.values.uses import TEXT, Use, Want
from tracestore_query.language.replacement import put_in_place
from tracestore_query.language.search_words import WORDS_IN_JSON, WORDS_IN_TEXT


def search(binder: Expressions, node: exp.Expr, context: Context) -> Bound:
    """Binds a call of `match` or `search`: as a comparison of the words that are found with all of them."""
    asked = binder.names.searched(node, context)
    calls = [tagged_values.call(WORDS_IN_TEXT, text, asked.needle.copy()) for text in asked.texts]
    every = exp.Literal.number(2 ** len(asked.words) - 1)
    found: exp.Expr = exp.Literal.number(0)
    for call in calls:
        found = exp.BitwiseOr(this=found, expression=call)
    is_found = exp.paren(exp.EQ(this=exp.paren(found, copy=False), expression=every), copy=False)
    put_in_place(node, is_found)
    pass_on(node, is_found)
    # A path is looked at as it is read, a whole row as it is stored: what moved to another column is found there.
    is_stored = asked.alias is not None or len(asked.texts) > 1
    for call in calls:
        _bind_text(binder, call, context, is_stored=is_stored)
    return Bound(is_found, "BOOLEAN")


def _bind_text(binder: Expressions, call: exp.Expr, context: Context, *, is_stored: bool) -> None:
    """Binds what one call looks through: texts as they are, all else as JSON."""
    bound = binder.bind(call.expressions[0], context)
    source = bound.source
    if isinstance(source, Absent):
        call.replace(exp.Literal.number(0))
    elif source is not None and source.kinds == {Kind.TEXT}:
        bound.take(TEXT)
    elif source is not None:
        bound.take(Want(Use.JSON, is_stored=is_stored))
        call.set("this", WORDS_IN_JSON)
        bound.put(exp.cast(bound.node.copy(), "VARCHAR"))
    elif (sql_type := binder.type_of(bound)) != "VARCHAR":
        if kind_of(sql_type or "") in {Kind.LIST, Kind.OBJECT, Kind.JSON}:
            call.set("this", WORDS_IN_JSON)
            bound.put(tagged_values.call("to_json", bound.node.copy()))
        bound.put(exp.cast(bound.node.copy(), "VARCHAR"))
