"""Hostile text in every field of every node: the statement is refused, or the engine reads the tree that was meant.

TRACESTORE_FUZZ_STATEMENTS says how many (15,000 by default), TRACESTORE_FUZZ_SEED from where.
"""

from __future__ import annotations

import collections
import json
import logging
import os
import random
from typing import Any

from security import hostile
from security.hostile import MARK, Place
from tracestore.errors import QueryError
from tracestore_query.engine.duckdb import Engine
from tracestore_query.engine.parser import SERIALIZE
from tracestore_query.language import allow_list, dialect

STATEMENTS = int(os.environ.get("TRACESTORE_FUZZ_STATEMENTS", "15000"))
SEED = int(os.environ.get("TRACESTORE_FUZZ_SEED", "12"))

# What says where a part stands in the text, and what the parser has counted.
_NO_TREE = (
    AttributeError,
    NotImplementedError,
    TypeError,
    KeyError,
    IndexError,
    AssertionError,
    RecursionError,
)

_PLACED = {"query_location", "query_location_length"}


def test_hostile_text_is_refused_or_is_what_was_meant() -> None:
    rng = random.Random(SEED)
    counts: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    engine = Engine([], "1GB", 1)
    try:
        fuzz = _Fuzz(engine)
        for place in hostile.places(rng):
            for text in rng.sample(hostile.TEXTS, 6):
                outcome = fuzz.outcome(place, text)
                counts[outcome] += 1
                if outcome.startswith("WRONG"):
                    wrong.append(f"{outcome}: {place.name} {text!r}: {fuzz.sql}")
            place.restore()
            if counts.total() >= STATEMENTS:
                break
    finally:
        engine.close()
    logging.getLogger(__name__).info("statements: %s", dict(counts))
    assert not wrong, "\n".join(wrong[:20])
    assert counts["meant"] > STATEMENTS // 100
    assert counts["refused"] > STATEMENTS // 10


class _Fuzz:
    """The fences and the engine that judge statements.

    Attributes:
        sql: the text of the last statement.
    """

    def __init__(self, engine: Engine) -> None:
        self._functions = engine.functions
        self._cursor = engine.cursor()
        self.sql = ""

    def outcome(self, place: Place, text: str) -> str:
        """Returns what became of a statement with a text in a place."""
        place.put(text)
        if not self._passes(place):
            return "refused"
        tree = self._engine_tree()
        if tree.get("error"):
            return "no statement for the engine"
        place.put(MARK)
        if not self._passes(place):
            return "WRONG (it is right with no other text)"
        meant = self._engine_tree()
        return "meant" if _with(text, meant) == _with(text, tree) else "WRONG (another tree)"

    def _passes(self, place: Place) -> bool:
        """Tells whether the first fence lets a statement pass; the second is not asked."""
        try:
            allow_list.check(place.tree, self._functions)
            self.sql = dialect.generate(place.tree)
        except QueryError:
            return False
        except _NO_TREE:
            # No parser gives a node such a child, and the generator has no text of it.
            return False
        return True

    def _engine_tree(self) -> Any:
        row = self._cursor.execute(SERIALIZE.format(text="?::VARCHAR"), [self.sql]).fetchone()
        assert row is not None
        return json.loads(row[0])


def _with(text: str, tree: Any) -> Any:
    """Returns a tree without places, with one mark for the harmless text and for the hostile one.

    The generator writes some words in capitals; a set of names has the order of their hashes.
    """
    if isinstance(tree, dict):
        return {key: _with(text, value) for key, value in tree.items() if key not in _PLACED}
    if isinstance(tree, list):
        items = [_with(text, value) for value in tree]
        return sorted(items) if all(isinstance(item, str) for item in items) else items
    if isinstance(tree, str):
        return tree.casefold().replace(text.casefold(), MARK)
    return tree
