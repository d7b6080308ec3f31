"""What the engine makes of an expression: asked of its own binder, once for each form of an expression."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, Protocol, TypeVar

MAX_FORMS: Final = 16_384
"""Forms of expressions that are remembered, about 500 bytes each: more than a store's dashboards have."""


V = TypeVar("V")


class Engine(Protocol):
    """What knows functions, operators and casts."""

    def type_of(self, expression: str) -> str | None:
        """Returns the type of an expression over no table, None where the engine refuses it."""

    def json_functions(self) -> frozenset[str]:
        """Returns the names of functions and operators that take JSON."""

    def boolean_functions(self) -> frozenset[str]:
        """Returns the names of functions that take a boolean, and nothing of any type."""


class EngineTypes:
    """The engine's catalog of functions, operators and casts, as far as it was asked. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._types: Kept[str | None] = Kept()
        self.choices: Kept[Any] = Kept()

    def of(self, text: str) -> str | None:
        """Returns the type of an expression over no table, None where the engine refuses it."""
        return self._types.get(text, lambda: self._engine.type_of(text))

    @functools.cached_property
    def of_json(self) -> frozenset[str]:
        """Returns the names of functions and operators that take JSON."""
        return self._engine.json_functions()

    @functools.cached_property
    def of_booleans(self) -> frozenset[str]:
        """Returns the names of functions that take a boolean, and nothing of any type."""
        return self._engine.boolean_functions()


class Kept(Generic[V]):
    """What was found out, by what it was found out of; the oldest goes first."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable, find: Callable[[], V]) -> V:
        """Returns what is known, found out where it is not. Two threads may find out the same."""
        try:
            return self._known[key]
        except KeyError:
            found = self._known[key] = find()
        if len(self._known) > MAX_FORMS:
            self._known.popitem(last=False)
        return found
