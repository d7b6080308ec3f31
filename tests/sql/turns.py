"""Which of many statements is asked in which state of a store: CI asks each in the first, and in some of the others.

TRACESTORE_EVERY_STATE=1 asks each in every state.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar

EVERY: Final = bool(os.environ.get("TRACESTORE_EVERY_STATE"))

Item = TypeVar("Item")


def in_turn(items: Sequence[Item], state: str, states: Sequence[str], turns: int) -> list[Item]:
    """Returns the items to ask in a state: all in the first, and in each other one of `turns`, which all have."""
    place = states.index(state)
    if EVERY or place == 0:
        return list(items)
    return [item for at, item in enumerate(items) if (at + place) % turns == 0]
