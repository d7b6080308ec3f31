"""Which words a row must hold for WHERE to be true of it: what a segment's words sidecar is asked for.

Noted are conditions that all of WHERE hangs on: `match` and `search`, and comparisons of a path with a text in which a
word surely stands whole. What a row is tested by stays as it is: words only say which rows need no test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from tracestore.variant import SEARCHED_COLUMNS
from tracestore.variant.moved import ATTRIBUTES
from tracestore_query.bind.bind_state import Binding
from tracestore_query.bind.path_values import PathValues
from tracestore_query.bind.scopes import Found, Scope, look_up
from tracestore_query.bind.text_search import NAMES, search_of
from tracestore_query.bind.values.found_rows import note_search
from tracestore_query.language.parameters import value_of
from tracestore_query.language.path_syntax import steps_of
from tracestore_query.language.search_words import words_of_needle
from tracestore_query.plan.pruning import conjuncts, joins_of
from tracestore_query.plan.scan import WordSearch

SEARCHED_TABLES: Final = frozenset({"spans", "logs"})

MAX_WORD_BYTES: Final = 128
"""Equals limits.MAX_LISTED_WORD_BYTES: longer words are not listed."""

# Characters around which a text is always cut, whatever stands on their other side: Unicode joins them to nothing.
# Left out are those that join letters or digits (. , : ; ' " _) and all beyond ASCII.
_SEPARATORS: Final = re.compile(r"[ \t\n\r!#$%&()*+/<=>?@\[\]\\^`{|}~-]")

# A word of a number or a boolean, as JSON or the engine write them.
_OF_NUMBER: Final = re.compile(r"[0-9][0-9.e]*|true|false|nan|inf|infinity")

_TEXTS: Final = frozenset({"str", "str[]"})
_SCALARS: Final = frozenset({"str", "i64", "f64", "bool", "json"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A text that stands in another: at its beginning, at its end, or anywhere. `any_case`: in any case."""

    text: str
    at_start: bool = False
    at_end: bool = False
    any_case: bool = False

    def words(self) -> Iterator[str]:
        """Yields the words that stand whole in every text that holds this one."""
        parts = _SEPARATORS.split(self.text)
        first = 0 if self.at_start else 1
        last = len(parts) if self.at_end else len(parts) - 1
        for part in parts[first:last]:
            # One that begins with a mark belongs to what is before it; case beyond ASCII is a matter of taste.
            if part[:1].isalnum() and (part.isascii() or not self.any_case):
                yield from words_of_needle(part)


def note_words(select: exp.Select, scope: Scope, binding: Binding, paths: PathValues) -> None:
    """Notes in the scans of a SELECT the words that each of their rows must hold to be in its answer."""
    where = select.args.get("where")
    if where is None or not binding.shortcuts:
        return
    if any(join.side or join.args.get("method") for join in joins_of(select)):
        # Which rows such a join pairs depends on rows that WHERE leaves out.
        return
    for condition in conjuncts(where.this):
        if isinstance(condition, exp.Anonymous) and str(condition.this).lower() in NAMES:
            _note_search(condition, scope, binding, paths)
        else:
            _note_comparison(condition, scope, binding, paths)


def _note_search(call: exp.Anonymous, scope: Scope, binding: Binding, paths: PathValues) -> None:
    sources = [source for source in scope.sources.values() if source.scan]
    search = search_of(call, sources)
    columns: tuple[str, ...] | None = None
    chain: Found | None = None
    types: frozenset[str] = frozenset()
    if search.alias is not None:
        source = scope.sources[search.alias]
        if source.scan is not None and not source.nullable:
            chain = Found(source, [])
    elif len(search.texts) == 1:
        chain = _chain_of(search.texts[0], scope)
        # All attributes are read as they came: with JSON as text where that moved to a column.
        if chain is not None and [step.text for step in chain.steps] == [ATTRIBUTES]:
            chain = None
        if chain is not None:
            types, columns = _types_of(chain, paths), _text_columns(chain, paths)
    if chain is None:
        return
    _note(chain, search.words, types, looks_through=True)
    scan = chain.source.scan
    is_whole = search.alias is not None
    if scan is not None and binding.finds_rows and (is_whole or columns):
        every = all(word in scan.words for word in search.words)
        if every:
            note_search(call, scan, chain.source.alias, WordSearch(search.words, columns))


def _text_columns(chain: Found, paths: PathValues) -> tuple[str, ...]:
    """Returns the stored columns that hold a path's values, none where some of these are no plain texts."""
    source = chain.source
    if source.spec is None or source.scan is None:
        raise AssertionError("BUG: a path of what is no table")
    if chain.steps[0].text not in source.spec.variants:
        return (chain.steps[0].text,)
    return paths.text_columns(source.scan, chain.steps)


def _note_comparison(
    condition: exp.Expr, scope: Scope, binding: Binding, paths: PathValues
) -> None:
    for subject, text, pieces in _comparisons(condition):
        chain = _chain_of(subject, scope)
        if chain is None:
            continue
        types = _types_of(chain, paths)
        if types <= _SCALARS:
            words = [word for piece in pieces for word in piece.words()]
            looks_through = not isinstance(condition, exp.EQ)
            if _note(chain, words, types, looks_through=looks_through):
                binding.of_values |= not isinstance(text, exp.Literal)


def _comparisons(condition: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr, list[Piece]]]:
    """Yields (subject, text, what of the text the subject's must hold) of a comparison with a constant text."""
    if any(value for name, value in condition.args.items() if name not in {"this", "expression"}):
        # Negated, or of another form than is known here.
        return
    if isinstance(condition, exp.EQ):
        for subject, text in (
            (condition.this, condition.expression),
            (condition.expression, condition.this),
        ):
            # Only of literals: a parameter is another one each time, and equal texts are found fast without words.
            if isinstance(text, exp.Literal) and text.is_string:
                yield subject, text, [Piece(str(text.this), at_start=True, at_end=True)]
        return
    subject, text = condition.this, condition.args.get("expression")
    if not isinstance(text, exp.Expr):
        return
    value = str(text.this) if isinstance(text, exp.Literal) and text.is_string else value_of(text)
    if not isinstance(value, str):
        return
    if isinstance(condition, exp.Like | exp.ILike):
        yield subject, text, pieces_of(value, any_case=isinstance(condition, exp.ILike))
    elif isinstance(condition, exp.Contains | exp.ArrayContains):
        yield subject, text, [Piece(value)]
    elif isinstance(condition, exp.StartsWith):
        yield subject, text, [Piece(value, at_start=True)]
    elif isinstance(condition, exp.EndsWith):
        yield subject, text, [Piece(value, at_end=True)]


def pieces_of(pattern: str, *, any_case: bool) -> list[Piece]:
    """Returns the texts between the wildcards of a pattern of LIKE, which has no escapes unless it names one."""
    parts = re.split("[%_]", pattern)
    last = len(parts) - 1
    return [Piece(part, number == 0, number == last, any_case) for number, part in enumerate(parts)]


def _chain_of(node: exp.Expr, scope: Scope) -> Found | None:
    """Returns a path or a searched column of a table of the SELECT itself, whose rows WHERE sees as they are."""
    is_chain = isinstance(node, exp.Column | exp.Dot | exp.Bracket)
    steps = steps_of(node) if is_chain else None
    chain = look_up(scope, steps) if steps else None
    if chain is None or chain.merged or chain.others or chain.source.nullable:
        return None
    source = chain.source
    if source.scan is None or source.spec is None or scope.sources.get(source.alias) is not source:
        return None
    name = chain.steps[0].text
    is_text = name in SEARCHED_COLUMNS and len(chain.steps) == 1
    return chain if name in source.spec.variants or is_text else None


def _types_of(chain: Found, paths: PathValues) -> frozenset[str]:
    source = chain.source
    if source.spec is None or source.scan is None:
        raise AssertionError("BUG: a path of what is no table")
    if chain.steps[0].text not in source.spec.variants:
        return frozenset({"str"})
    return frozenset(paths.leaf_types(source.scan, chain.steps))


def _note(
    chain: Found, words: Sequence[str], types: frozenset[str], *, looks_through: bool
) -> bool:
    """Notes words that a row of a scan must hold; returns whether any was noted.

    Numbers and booleans have no words in a sidecar: one that may be theirs is noted where all values are texts.
    """
    scan = chain.source.scan
    if scan is None or scan.table not in SEARCHED_TABLES:
        return False
    are_texts = bool(types) and types <= _TEXTS
    listed = [
        word
        for word in words
        if (are_texts or not _OF_NUMBER.fullmatch(word)) and len(word.encode()) <= MAX_WORD_BYTES
    ]
    scan.words |= dict.fromkeys(listed)
    scan.looks_through |= bool(listed) and looks_through
    return bool(listed)
