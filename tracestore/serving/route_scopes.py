"""The scopes of every route of an application, found by a request's method and path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path

from tracestore.scopes import Scope, needed_scopes

ByMethod = dict[str, tuple[Scope, ...]]

UNKNOWN: Final[tuple[Scope, ...]] = ()
"""What a request needs that no route answers: it is told so, whoever asks."""


class RouteScopes:
    """What each route asks of a key; it is read off the endpoints once."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Reads the routes.

        Raises:
            TypeError: where an endpoint does not say what it needs, so that a new one is never open by oversight.
        """
        self._by_path: dict[str, ByMethod] = {}
        self._patterns: list[tuple[re.Pattern[str], ByMethod]] = []
        for path, methods in _by_method(routes):
            pattern, _, parameters = compile_path(path)
            if parameters:
                self._patterns.append((pattern, methods))
            else:
                # The first of two routes of one path answers.
                self._by_path[path] = methods | self._by_path.get(path, {})

    def of(self, method: str, path: str) -> tuple[Scope, ...]:
        """Returns the scopes that a request needs, none where it is open to all."""
        methods = self._by_path.get(path)
        if methods is not None:
            return methods.get(method, UNKNOWN)
        for pattern, methods in self._patterns:
            if method in methods and pattern.match(path):
                return methods[method]
        return UNKNOWN


def _by_method(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, ByMethod]]:
    for route in iter_route_contexts(list(routes)):
        if route.path is None or route.endpoint is None:
            continue
        scopes = needed_scopes(route.endpoint)
        if scopes is None:
            # The framework's own page of the OpenAPI document has an endpoint of its own making.
            if route.path == "/openapi.json":
                scopes = UNKNOWN
            else:
                raise TypeError(
                    f"no scopes are noted of {route.path}; put needs(...) beneath its route"
                )
        yield route.path, dict.fromkeys(route.methods or (), scopes)
