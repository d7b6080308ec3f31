"""SQL to plan to DuckDB: what answers questions over the store."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracestore_query.answer.result import QueryStats, Result
    from tracestore_query.errors import (
        QueryCursorError,
        QueryFailedError,
        QueryForbiddenError,
        QueryMemoryError,
        QueryParameterError,
        QuerySyntaxError,
        QueryTimeoutError,
        UnknownNameError,
    )
    from tracestore_query.evals.datasets import SqlDatasets
    from tracestore_query.evals.experiments import SqlExperiments
    from tracestore_query.execute.kept_groups import KeepRule
    from tracestore_query.query import Query

__all__ = [
    "KeepRule",
    "Query",
    "QueryCursorError",
    "QueryFailedError",
    "QueryForbiddenError",
    "QueryMemoryError",
    "QueryParameterError",
    "QueryStats",
    "QuerySyntaxError",
    "QueryTimeoutError",
    "Result",
    "SqlDatasets",
    "SqlExperiments",
    "UnknownNameError",
]

# Loaded at first use: whoever writes or reads files of answers needs no engine.
_HOMES = {
    "KeepRule": "tracestore_query.execute.kept_groups",
    "Query": "tracestore_query.query",
    "QueryStats": "tracestore_query.answer.result",
    "Result": "tracestore_query.answer.result",
    "SqlDatasets": "tracestore_query.evals.datasets",
    "SqlExperiments": "tracestore_query.evals.experiments",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        home = importlib.import_module(_HOMES.get(name, "tracestore_query.errors"))
        return getattr(home, name)
    raise AttributeError(f"module 'tracestore_query' has no attribute {name!r}")
