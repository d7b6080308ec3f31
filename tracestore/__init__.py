"""tracestore: a columnar observability store for semi-structured traces."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracestore.answer import Answer
    from tracestore.client import AsyncClient, Client
    from tracestore.embedded import Store, open  # noqa: A004 - the public name
    from tracestore.errors import ClientError, TraceStoreError
    from tracestore.evals import Eval, EvalResult, dataset
    from tracestore.tracing import init, traced

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "ClientError",
    "Eval",
    "EvalResult",
    "Store",
    "TraceStoreError",
    "dataset",
    "init",
    "open",
    "traced",
]

# Loaded at first use: an app that only sends spans needs neither the store nor the engine.
_HOMES = {
    "Answer": "tracestore.answer",
    "AsyncClient": "tracestore.client",
    "Client": "tracestore.client",
    "ClientError": "tracestore.errors",
    "Eval": "tracestore.evals",
    "EvalResult": "tracestore.evals",
    "Store": "tracestore.embedded",
    "TraceStoreError": "tracestore.errors",
    "dataset": "tracestore.evals",
    "init": "tracestore.tracing",
    "open": "tracestore.embedded",
    "traced": "tracestore.tracing",
}


def __dir__() -> list[str]:
    """Returns the public names: what there is shows before it is loaded."""
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import_part = importlib.import_module("tracestore.lazy_module").import_part
        return getattr(import_part(_HOMES[name]), name)
    raise AttributeError(f"module 'tracestore' has no attribute {name!r}")
