"""Paths as queries write them: `s.input.messages[0].content`, `attributes['a.b']`, `input."a.b".c`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Step:
    """Is one step of a chain: a name, quoted or not, a key in brackets, or an array index from 0.

    `exact` keys match one stored key only; others may be part of a key with dots, or of several keys.
    """

    text: str = ""
    exact: bool = False
    index: int | None = None


def is_chain_end(node: exp.Expression) -> bool:
    """Tells whether a node is a whole chain: a column or accessor that no other accessor continues."""
    if not isinstance(node, exp.Column | exp.Dot | exp.Bracket):
        return False
    parent = node.parent
    continued = isinstance(parent, exp.Dot | exp.Bracket) and node.arg_key == "this"
    return not continued


def steps_of(node: exp.Expression) -> list[Step] | None:
    """Returns the steps of a chain, None where it is not one: a star, a slice, a computed index."""
    if isinstance(node, exp.Column):
        if isinstance(node.this, exp.Star):
            return None
        return [_named(part) for part in node.parts]
    if isinstance(node, exp.Paren):
        return steps_of(node.this)
    if isinstance(node, exp.Dot):
        before = steps_of(node.this)
        if before is None or not isinstance(node.expression, exp.Identifier):
            return None
        return [*before, _named(node.expression)]
    if isinstance(node, exp.Bracket):
        before = steps_of(node.this)
        step = _bracketed(node)
        return None if before is None or step is None else [*before, step]
    return None


def _named(part: exp.Expression) -> Step:
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
