"""What the engine makes of an expression: asked of its own binder, once for each form of an expression."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, Protocol

from sqlglot import exp

from tracestore.bounded_cache import BoundedCache

MAX_FORMS: Final = 16_384
"""Forms of expressions that are remembered, about 500 bytes each: more than a store's dashboards have."""


MAX_JSON_ARGUMENTS: Final = 100
"""Arguments of a function that may be JSON; those behind are taken by their kind."""


class Engine(Protocol):
    """What knows functions, operators and casts."""

    def type_of(self, expression: str) -> str | None:
        """Returns the type of an expression over no table, None where the engine refuses it."""

    def runs(self, expression: str) -> bool:
        """Tells whether an expression over no table that the engine has bound can be run, too."""

    def signatures(self) -> list[tuple[str, str, list[str | None], str | None]]:
        """Returns the name, the kind, the types of arguments and that of further ones of each function's signatures."""


class EngineTypes:
    """The engine's catalog of functions, operators and casts, as far as it was asked. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._types: BoundedCache[str, tuple[str | None]] = BoundedCache(MAX_FORMS)
        self._runs: BoundedCache[str, bool] = BoundedCache(MAX_FORMS)
        self.choices: BoundedCache[Hashable, Any] = BoundedCache(MAX_FORMS)

    def of(self, text: str) -> str | None:
        """Returns the type of an expression over no table, None where the engine refuses it."""
        return self._types.get_or_make(text, lambda: (self._engine.type_of(text),))[0]

    def runs(self, text: str) -> bool:
        """Tells whether an expression over no table that the engine has bound can be run, too."""
        return self._runs.get_or_make(text, lambda: self._engine.runs(text))

    @functools.cached_property
    def _signatures(self) -> list[tuple[str, str, list[str | None], str | None]]:
        return self._engine.signatures()

    @functools.cached_property
    def of_json(self) -> Mapping[str, frozenset[int]]:
        """Returns the arguments that are JSON, by the names of functions."""
        found: dict[str, set[int]] = {}
        for name, _, types, others in self._signatures:
            places = {at for at, sql_type in enumerate(types) if sql_type == "JSON"}
            if others == "JSON":
                places.update(range(len(types), MAX_JSON_ARGUMENTS))
            if places:
                found.setdefault(name, set()).update(places)
        return {name: frozenset(places) for name, places in found.items()}

    @functools.cached_property
    def of_booleans(self) -> frozenset[str]:
        """Returns the names of functions that take booleans alone: the engine binds these to anything."""
        found: dict[str, set[str | None]] = {}
        for name, _, types, _ in self._signatures:
            found.setdefault(name, set()).update(types or [None])
        return frozenset(name for name, types in found.items() if types == {"BOOLEAN"})

    @functools.cached_property
    def declared(self) -> Mapping[str, Sequence[frozenset[str]]]:
        """Returns the types that a function's signatures name for each argument, by its name."""
        found: dict[str, list[set[str]]] = {}
        for name, _, types, _ in self._signatures:
            places = found.setdefault(name, [])
            places += [set() for _ in range(len(types) - len(places))]
            for at, sql_type in enumerate(types):
                places[at].add(sql_type or "ANY")
        return {name: [*map(frozenset, places)] for name, places in found.items()}

    @functools.cached_property
    def of_rows(self) -> frozenset[str]:
        """Returns the names of functions that make one value of many rows."""
        return frozenset(name for name, kind, *_ in self._signatures if kind == "aggregate")


def is_aggregate(node: exp.Expr, types: EngineTypes) -> bool:
    """Tells whether a node is a call of an aggregate function: of one that the parser knows, or the engine."""
    return isinstance(node, exp.AggFunc) or (
        isinstance(node, exp.Anonymous) and str(node.this).lower() in types.of_rows
    )
