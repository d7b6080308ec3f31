"""tracestore: a columnar observability store for semi-structured traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracestore.embedded import Store, open  # noqa: A004 - the public name

__all__ = ["Store", "open"]

_EMBEDDED = frozenset(__all__)


def __getattr__(name: str) -> Any:
    # Loaded at first use: an app that only sends spans needs neither the store nor the engine.
    if name in _EMBEDDED:
        from tracestore import embedded  # noqa: PLC0415

        return getattr(embedded, name)
    raise AttributeError(f"module 'tracestore' has no attribute {name!r}")
