"""Conditions on stored columns as values; an engine writes them in its own language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Equals:
    """The condition that a column holds one text."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """The condition that a column holds nothing."""

    column: str


@dataclass(frozen=True, slots=True)
class AtMost:
    """The condition that a column holds a number up to a bound."""

    column: str
    bound: int


@dataclass(frozen=True, slots=True)
class NoneOf:
    """The condition that a column holds none of some numbers."""

    column: str
    values: tuple[int, ...]


Condition = Equals | IsNull | AtMost | NoneOf

Predicate = tuple[Condition, ...]
"""Conditions that a row must meet, every one of them."""
