"""What a sender's key says of a request: who sends it, and which projects it may write to."""

from __future__ import annotations

from tracestore.store import AllowedProjects as Projects

__all__ = ["Projects", "Unauthenticated"]


class Unauthenticated(Exception):  # noqa: N818 - a state of the sender, not a fault
    """A request that carries no key, or none that is known."""
