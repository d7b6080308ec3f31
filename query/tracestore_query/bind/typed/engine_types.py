"""What the engine makes of an expression: asked of its own binder, once for each form of an expression."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import Any, Final, Protocol

from tracestore.bounded_cache import BoundedCache

MAX_FORMS: Final = 16_384
"""Forms of expressions that are remembered, about 500 bytes each: more than a store's dashboards have."""


class Engine(Protocol):
    """What knows functions, operators and casts."""

    def type_of(self, expression: str) -> str | None:
        """Returns the type of an expression over no table, None where the engine refuses it."""

    def json_functions(self) -> frozenset[str]:
        """Returns the names of functions and operators that take JSON."""

    def boolean_functions(self) -> frozenset[str]:
        """Returns the names of functions that take booleans alone."""


class EngineTypes:
    """The engine's catalog of functions, operators and casts, as far as it was asked. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._types: BoundedCache[str, tuple[str | None]] = BoundedCache(MAX_FORMS)
        self.choices: BoundedCache[Hashable, Any] = BoundedCache(MAX_FORMS)

    def of(self, text: str) -> str | None:
        """Returns the type of an expression over no table, None where the engine refuses it."""
        return self._types.get_or_make(text, lambda: (self._engine.type_of(text),))[0]

    @functools.cached_property
    def of_json(self) -> frozenset[str]:
        """Returns the names of functions and operators that take JSON."""
        return self._engine.json_functions()

    @functools.cached_property
    def of_booleans(self) -> frozenset[str]:
        """Returns the names of functions that take booleans alone."""
        return self._engine.boolean_functions()
