"""Paths as queries write them: `s.input.messages[0].content`, `attributes['a.b']`, `input."a.b".c`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chain: a name, quoted or not, a key in brackets, or an array index from 0.

    `exact` keys match one stored key only; others may be part of a key with dots, or of several keys.
    """

    text: str = ""
    exact: bool = False
    index: int | None = None


def is_chain_end(node: exp.Expr) -> bool:
    """Tells whether a node is a whole chain: a column or accessor that no other accessor continues."""
    if not isinstance(node, exp.Column | exp.Dot | exp.Bracket):
        return False
    parent = node.parent
    while isinstance(parent, exp.Paren) and isinstance(parent.parent, exp.Dot | exp.Bracket):
        node, parent = parent, parent.parent
    if not isinstance(parent, exp.Dot | exp.Bracket) or node.arg_key != "this":
        return True
    # A slice or a computed index goes on from a chain without being part of it.
    return isinstance(parent, exp.Bracket) and _bracketed(parent) is None


def steps_of(node: exp.Expr) -> list[Step] | None:
    """Returns the steps of a chain, None where it is not one: a star, a slice, a computed index."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Identifier):
        # What a lambda is called with.
        return [_named(node)]
    if isinstance(node, exp.Column):
        return None if isinstance(node.this, exp.Star) else [_named(part) for part in node.parts]
    step: Step | None = None
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        step = _named(node.expression)
    elif isinstance(node, exp.Bracket):
        step = _bracketed(node)
    before = steps_of(node.this) if step is not None else None
    return None if before is None or step is None else [*before, step]


def name_of(steps: Sequence[Step]) -> str:
    """Returns the name a chain gives a result column: its last key."""
    return next((step.text for step in reversed(steps) if step.index is None), "")


def shown(steps: Sequence[Step]) -> str:
    """Returns a chain as a message shows it."""
    return "".join(
        f"[{step.index}]" if step.index is not None else ("." if i else "") + step.text
        for i, step in enumerate(steps)
    )


def _named(part: exp.Expr) -> Step:
    return Step(text=str(part.this), exact=bool(part.args.get("quoted")))


def _bracketed(node: exp.Bracket) -> Step | None:
    if len(node.expressions) != 1:
        return None
    inside = node.expressions[0]
    if isinstance(inside, exp.Literal) and inside.is_string:
        return Step(text=str(inside.this), exact=True)
    sign = 1
    if isinstance(inside, exp.Neg):
        sign, inside = -1, inside.this
    if isinstance(inside, exp.Literal) and str(inside.this).isdigit():
        # The parser moves indexes from the dialect's 1 to 0; here they are written from 0.
        return Step(index=sign * int(inside.this) + 1)
    return None
