"""The scopes that an endpoint needs, said beside the endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

Scope = Literal["ingest", "read", "admin"]

SCOPES: Final[tuple[Scope, ...]] = ("ingest", "read", "admin")
"""What a key may be allowed: to send, to ask, and all of it with what removes for good."""

_NOTE: Final = "needed_scopes"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def needs(*scopes: Scope) -> Callable[[Endpoint], Endpoint]:
    """Returns a decorator that notes what a caller's key must allow; an endpoint that needs nothing is open to all."""

    def note(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _NOTE, scopes)
        return endpoint

    return note


def needed_scopes(endpoint: Callable[..., Any]) -> tuple[Scope, ...] | None:
    """Returns the scopes that were noted of an endpoint, None where nobody has decided."""
    return getattr(endpoint, _NOTE, None)
