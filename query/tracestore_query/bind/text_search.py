"""`match` and `search`: rows whose text holds all the words. A scan for now, kept here so that an index can come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from sqlglot import exp

from tracestore.variant import TableSpec
from tracestore_query.errors import UnknownNameError

MAX_WORDS = 32
"""More words than a person types; each is one pass over the text."""


class Searched(Protocol):
    """A scanned table under an alias."""

    @property
    def alias(self) -> str:
        """Returns the name it has in the query."""

    @property
    def spec(self) -> TableSpec | None:
        """Returns its columns."""


def match_expression(call: exp.Anonymous, sources: Sequence[Searched]) -> exp.Expr:
    """Returns the predicate of a `match` or `search` call, over paths that are still to be bound.

    Raises:
        UnknownNameError: where the arguments are not a path or table and a text of words.
    """
    arguments = list(call.expressions)
    name = str(call.this).lower()
    usage = "match(path, 'words'), match(table, 'words') or search('words')"
    if not arguments or len(arguments) > 2 or (name == "match" and len(arguments) != 2):
        raise UnknownNameError(f"cannot run query: {name}() takes {usage}")
    words = arguments[-1]
    if not (isinstance(words, exp.Literal) and words.is_string):
        raise UnknownNameError(f"cannot run query: the words of {name}() must be a text in quotes")
    tokens = re.findall(r"\w+", str(words.this).lower())[:MAX_WORDS]
    if len(arguments) == 2 and not _is_table(arguments[0], sources):
        texts: list[exp.Expr] = [exp.cast(arguments[0].copy(), "VARCHAR")]
    else:
        chosen = sources
        if len(arguments) == 2:
            chosen = [source for source in sources if source.alias == arguments[0].name.lower()]
        texts = [column for source in chosen for column in _columns(source)]
    if not tokens:
        return exp.true()
    return _all_words(texts, tokens)


def _is_table(node: exp.Expr, sources: Sequence[Searched]) -> bool:
    return (
        isinstance(node, exp.Column)
        and not node.table
        and node.name.lower() in {source.alias for source in sources}
    )


def _columns(source: Searched) -> list[exp.Expr]:
    """Returns every text of a row: its name, its status message, and its variants as JSON."""
    spec = source.spec
    if spec is None:
        return []
    named = [
        name
        for name in ("name", "status_message", "severity_text", "event_name")
        if name in spec.columns
    ]
    return [
        exp.cast(exp.column(name, table=source.alias), "VARCHAR")
        for name in (*named, *spec.variants)
    ]


def _all_words(texts: Sequence[exp.Expr], tokens: Sequence[str]) -> exp.Expr:
    """Returns whether each token stands, as a whole word, somewhere in the texts."""
    joined: exp.Expr = exp.Lower(
        this=exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string(" "), *texts])
    )
    found: exp.Expr | None = None
    for token in tokens:
        # contains() is a plain scan; the pattern is only tried where it hits.
        contains = exp.Anonymous(
            this="contains", expressions=[joined.copy(), exp.Literal.string(token)]
        )
        pattern = exp.Literal.string(
            rf"\b{re.escape(token)}\b" if token.isascii() else re.escape(token)
        )
        whole = exp.Anonymous(this="regexp_matches", expressions=[joined.copy(), pattern])
        one = exp.And(this=contains, expression=whole)
        found = one if found is None else exp.And(this=found, expression=one)
    return found if found is not None else exp.true()
