"""`match` and `search`: which texts of a row they look at, and for which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlglot import exp

from tracestore.variant import SEARCHED_COLUMNS, TableSpec
from tracestore_query.errors import UnknownNameError
from tracestore_query.language.nodes import find_nodes
from tracestore_query.language.parameters import value_of
from tracestore_query.language.search_words import words_of_needle

NAMES: Final = frozenset({"match", "search"})

MAX_WORDS: Final = 32
"""More words than a person types; each costs a comparison for every word of a text."""


class Searched(Protocol):
    """A scanned table under an alias."""

    @property
    def alias(self) -> str:
        """Returns the name it has in the query."""

    @property
    def spec(self) -> TableSpec | None:
        """Returns its columns."""


@dataclass(frozen=True, slots=True)
class Search:
    """A call of `match` or `search`.

    Attributes:
        texts: what is looked at, still to be bound.
        needle: the literal or parameter that holds the words.
        words: the distinct ones, in order.
        alias: of the one table all of whose texts are looked at, None where it is a path or several tables.
    """

    texts: list[exp.Expr]
    needle: exp.Expr
    words: tuple[str, ...]
    alias: str | None = None


def search_of(call: exp.Anonymous, sources: Sequence[Searched]) -> Search:
    """Returns what a call of `match` or `search` asks for.

    Raises:
        UnknownNameError: where the arguments are not a path or table and a text with words in it.
    """
    arguments = list(call.expressions)
    name = str(call.this).lower()
    usage = "match(path, 'words'), match(table, 'words') or search('words')"
    if not arguments or len(arguments) > 2 or (name == "match" and len(arguments) != 2):
        raise UnknownNameError(f"cannot run query: {name}() takes {usage}")
    needle = arguments[-1]
    words = _words_of(needle, name)
    if len(arguments) == 2 and not _is_table(arguments[0], sources):
        return Search([arguments[0].copy()], needle, words)
    chosen = sources
    if len(arguments) == 2:
        chosen = [source for source in sources if source.alias == arguments[0].name.lower()]
    texts = [column for source in chosen for column in _columns(source)]
    if not texts:
        raise UnknownNameError(
            f"cannot run query: {name}() looks through the tables of FROM, which are none that hold texts here; "
            "write match(column, 'words'), or match(name, 'words') with the name of a subquery"
        )
    return Search(texts, needle, words, chosen[0].alias if len(chosen) == 1 else None)


def depends_on_parameter(tree: exp.Expr) -> bool:
    """Tells whether a parameter of a query holds words that are looked for."""
    return any(
        str(call.this).lower() in NAMES and isinstance(each, exp.Placeholder)
        for call in find_nodes(tree, exp.Anonymous)
        for each in call.expressions
    )


def _words_of(needle: exp.Expr, name: str) -> tuple[str, ...]:
    text = needle.this if isinstance(needle, exp.Literal) and needle.is_string else value_of(needle)
    if not isinstance(text, str):
        raise UnknownNameError(
            f"cannot run query: the words of {name}() must be a text in quotes or a parameter"
        )
    found = words_of_needle(text)
    if not found:
        raise UnknownNameError(
            f"cannot run query: {name}() has no word to look for in {text!r:.60}; write a letter or a digit"
        )
    if len(found) > MAX_WORDS:
        raise UnknownNameError(
            f"cannot run query: {name}() looks for {MAX_WORDS} words at most; got {len(found)}"
        )
    return found


def _is_table(node: exp.Expr, sources: Sequence[Searched]) -> bool:
    return (
        isinstance(node, exp.Column)
        and not node.table
        and node.name.lower() in {source.alias for source in sources}
    )


def _columns(source: Searched) -> list[exp.Expr]:
    """Returns every text of a row: its name, its status message, and its variants."""
    spec = source.spec
    if spec is None:
        return []
    named = [name for name in SEARCHED_COLUMNS if name in spec.columns]
    return [exp.column(name, table=source.alias) for name in (*named, *spec.variants)]
