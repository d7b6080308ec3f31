"""What can be wrong with a query, each with a hint that names the way out."""

from __future__ import annotations

from tracestore.errors import QueryError

__all__ = [
    "QueryCursorError",
    "QueryError",
    "QueryFailedError",
    "QueryForbiddenError",
    "QueryMemoryError",
    "QueryParameterError",
    "QuerySyntaxError",
    "QueryTimeoutError",
    "UnknownNameError",
]


class QuerySyntaxError(QueryError):
    """Says that the text is not SQL; the message shows the place."""


class QueryForbiddenError(QueryError):
    """Says that the query asks for something this API never does: files, settings, other schemas."""


class UnknownNameError(QueryError):
    """Says that a table, function or column does not exist; the message names the nearest."""


class QueryParameterError(QueryError):
    """Says that a parameter has no value, or that a value has no parameter."""


class QueryCursorError(QueryError):
    """Says that a query cannot be paged, or that a cursor is not one of it."""


class QueryTimeoutError(QueryError):
    """Says that the query ran longer than it may."""


class QueryMemoryError(QueryError):
    """Says that the query needs more memory than it may have."""


class QueryFailedError(QueryError):
    """Says that the engine refused the query; paths of files are taken out of the message."""
