"""Lambdas over lists of objects that read one key of each item: the texts at that key take the place of the items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sqlglot import exp

from tracestore_query.bind.typed.context import Local
from tracestore_query.bind.values.item_columns import ItemLists
from tracestore_query.bind.values.sources import Bound, Expression, Source
from tracestore_query.bind.values.types import ITEM
from tracestore_query.language.path_syntax import Step, steps_of

ITEMS: Final = "VARCHAR[]"
"""The type of the lists of texts that take the place of items."""

Lists = Callable[[str], ItemLists | None]


def take_texts(
    items: Bound, name: str, bodies: Sequence[exp.Expr], lists_of: Callable[[Source], Lists | None]
) -> Local | None:
    """Puts the texts of the one key that expressions read of items in the place of these.

    Args:
        items: the list, which is bound.
        name: what an item is called in the expressions.
        bodies: expressions, none of which gives an item itself, still to be bound.
        lists_of: returns what gives what is read for a key of a list's items, None where it is no path.

    Returns:
        What the name stands for, None where the items are left as they are.
    """
    key = _only_key(bodies, name)
    lists = lists_of(items.source) if items.source is not None and key is not None else None
    found = lists(key) if lists is not None and key is not None else None
    if found is None or found.items is not None:
        return None
    items.put(found.texts)
    items.type, items.source = ITEMS, Expression(items.node, ITEMS)
    return Local(ITEM, key)


def _only_key(bodies: Sequence[exp.Expr], name: str) -> str | None:
    """Returns the one key that expressions read of what a name stands for, None where they read something else."""
    if any(body.find(exp.Query) is not None for body in bodies):
        return None
    keys: set[str] = set()
    for steps in (steps for body in bodies for steps in _chains(body, name)):
        if len(steps) != 2 or steps[1].index is not None:
            return None
        keys.add(steps[1].text)
    return keys.pop() if len(keys) == 1 else None


def _chains(node: exp.Expr, name: str) -> Iterator[list[Step]]:
    """Yields the chains of an expression that begin with a name."""
    steps = steps_of(node) if isinstance(node, _ACCESSES) else None
    if steps is not None:
        if steps[0].text.lower() == name:
            yield steps
        return
    for child in node.iter_expressions():
        yield from _chains(child, name)


_ACCESSES = (exp.Column, exp.Dot, exp.Bracket, exp.Identifier)
