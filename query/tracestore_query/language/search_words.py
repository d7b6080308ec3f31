"""The words of a text search, and what the engine's functions that look for them are called."""

from __future__ import annotations

from typing import Final

from tracestore.variant import words

WORDS_IN_TEXT: Final = "__words_in_text"
WORDS_IN_JSON: Final = "__words_in_json"
"""Functions of a text and a needle. They give a bit for each distinct word of the needle that stands in the text."""


def words_of_needle(needle: str) -> tuple[str, ...]:
    """Returns the distinct words of a needle, in the order of their bits."""
    return tuple(dict.fromkeys(words(needle)))
