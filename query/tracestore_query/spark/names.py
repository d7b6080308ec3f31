"""Names and literals as Spark SQL spells them."""

from __future__ import annotations

from typing import Final

_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\0": "\\u0000"}
)


def named(name: str) -> str:
    """Returns a name of a column or a view."""
    return f"`{name.replace('`', '``')}`"


def text(value: str) -> str:
    """Returns a literal of a string."""
    return f"'{value.translate(_ESCAPES)}'"


def column(position: int) -> str:
    """Returns the name of a relation's column by its position."""
    return f"c{position}"
