"""SQL to plan to DuckDB: what answers questions over the store."""

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
from tracestore_query.query import Query

__all__ = [
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
