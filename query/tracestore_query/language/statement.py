"""One statement of a text: what it asks for, and the query it asks about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from sqlglot import exp

from tracestore_query.language import allow_list, dialect, looking_around


class Kind(Enum):
    """What a statement asks for: the rows of a query, its plan, a profile too, its columns, or what is in them."""

    SELECT = "SELECT"
    EXPLAIN = "EXPLAIN"
    EXPLAIN_ANALYZE = "EXPLAIN ANALYZE"
    DESCRIBE = "DESCRIBE"
    SUMMARIZE = "SUMMARIZE"


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed and checked statement. Its query is shared: whoever changes a tree changes a copy."""

    kind: Kind
    query: exp.Expr


def read_statement(sql: str, functions: Collection[str]) -> Statement:
    """Returns the one statement of a text.

    Args:
        sql: the text.
        functions: names of the functions that a query may call.

    Raises:
        QuerySyntaxError: where the text is not one SQL statement.
        QueryForbiddenError: naming what is not allowed.
        UnknownNameError: naming the nearest function.
    """
    kind, query = _parts(looking_around.as_query(dialect.parse(sql)))
    allow_list.check(query, functions)
    for node in query.walk():
        # Positions in the text: of no use from here on, and most of what a copy costs.
        node.meta.clear()
    return Statement(kind, query)


def _parts(tree: exp.Expr) -> tuple[Kind, exp.Expr]:
    if isinstance(tree, exp.Summarize):
        inside = tree.this
        is_table = isinstance(inside, exp.Table)
        return Kind.SUMMARIZE, exp.select("*").from_(inside) if is_table else inside
    if not isinstance(tree, exp.Describe):
        return Kind.SELECT, tree
    kind = Kind(tree.args["kind"])
    if kind is Kind.DESCRIBE and not isinstance(tree.this, exp.Query | exp.Pivot):
        # The name of a table is no query; the allow-list refuses the whole.
        return kind, tree
    return kind, tree.this
