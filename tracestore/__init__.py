"""tracestore: a columnar observability store for semi-structured traces."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracestore.client import Client
    from tracestore.embedded import Store, open  # noqa: A004 - the public name
    from tracestore.evals import Eval, EvalResult, dataset

__all__ = ["Client", "Eval", "EvalResult", "Store", "dataset", "open"]

# Loaded at first use: an app that only sends spans needs neither the store nor the engine.
_HOMES = {
    "Client": "tracestore.client",
    "Eval": "tracestore.evals",
    "EvalResult": "tracestore.evals",
    "Store": "tracestore.embedded",
    "dataset": "tracestore.evals",
    "open": "tracestore.embedded",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tracestore' has no attribute {name!r}")
