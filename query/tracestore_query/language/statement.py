"""One statement of a text: what it asks for, and the query it asks about."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sqlglot import exp

from tracestore.bounded_cache import BoundedCache
from tracestore_query.language import allow_list, dialect, looking_around
from tracestore_query.language.nodes import nodes_of


class Kind(Enum):
    """What a statement asks for: the rows of a query, its plan, a profile too, its columns, or what is in them."""

    SELECT = "SELECT"
    EXPLAIN = "EXPLAIN"
    EXPLAIN_ANALYZE = "EXPLAIN ANALYZE"
    DESCRIBE = "DESCRIBE"
    SUMMARIZE = "SUMMARIZE"


MAX_TREES: Final = 256
"""Texts whose trees are kept, about 100 KiB each for a long one."""

MAX_READ: Final = 4096
"""Texts of which it is known that they came before, 32 bytes each."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed and checked statement, whose tree is the reader's own."""

    kind: Kind
    query: exp.Expr


class Statements:
    """The statements of texts, parsed once more at most where a text comes again and again. Thread-safe.

    A tree is kept, and copied for each reader, from the second time on: most texts come once, and a copy costs a
    third of what parsing does.

    Args:
        functions: names of the functions that a query may call.
    """

    def __init__(self, functions: Collection[str]) -> None:
        self._functions = functions
        self._trees: BoundedCache[str, Statement] = BoundedCache(MAX_TREES)
        self._read: BoundedCache[bytes, bool] = BoundedCache(MAX_READ)

    def read(self, sql: str) -> Statement:
        """Returns the one statement of a text.

        Raises:
            QueryError: as `read_statement` does.
        """
        kept = self._trees.get(sql)
        if kept is not None:
            return Statement(kept.kind, kept.query.copy())
        statement = read_statement(sql, self._functions)
        digest = hashlib.blake2b(sql.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if self._read.get(digest):
            self._trees.put(sql, Statement(statement.kind, statement.query.copy()))
        else:
            self._read.put(digest, True)
        return statement


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
    for node in nodes_of(query):
        # Positions in the text: of no use from here on, and most of what a copy costs, as an empty `meta` would be.
        node._meta = None  # noqa: SLF001 - it has no other way to be emptied
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
