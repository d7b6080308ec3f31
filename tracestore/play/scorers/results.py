"""What a function in the sandbox returned, read as scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from tracestore.errors import PlayError
from tracestore.play.scoring import Score

MAX_SCORES: Final = 50
"""Scores of one call."""

MAX_NAME_CHARACTERS: Final = 100

_SHAPE: Final = 'want a number, {"name", "score", "metadata"}, a list of such, or None'


def scores_of(value: Any, name: str) -> list[Score]:
    """Returns the scores in a value, each named after the scorer where it has no name of its own.

    Raises:
        PlayError: where it is none.
    """
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_SCORES:
        raise PlayError(f"cannot use its result: {len(items)} scores; want at most {MAX_SCORES}")
    return [_score(each, name) for each in items]


def _score(value: Any, name: str) -> Score:
    if not isinstance(value, Mapping):
        return Score(name, _number(value))
    own, metadata = value.get("name", name), value.get("metadata") or {}
    if not isinstance(own, str) or not 1 <= len(own) <= MAX_NAME_CHARACTERS:
        raise PlayError(f"cannot use its result: the name of a score is {own!r:.50}; want a text")
    if not isinstance(metadata, Mapping):
        raise PlayError("cannot use its result: the metadata of a score is no object")
    rationale = value.get("rationale", metadata.get("rationale"))
    given = value.get("score")
    return Score(
        own,
        None if given is None else _number(given),
        rationale if isinstance(rationale, str) else None,
        dict(metadata),
    )


def _number(value: Any) -> float:
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise PlayError(f"cannot use its result: it is {type(value).__name__}; {_SHAPE}")
    return float(value)
