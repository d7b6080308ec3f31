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
    "SparkRefusedError",
    "UnknownNameError",
]


class QuerySyntaxError(QueryError):
    """The text is not SQL; the message shows the place."""


class QueryForbiddenError(QueryError):
    """The query asks for something this API never does: files, settings, other schemas."""


class UnknownNameError(QueryError):
    """A table, function or column does not exist; the message names the nearest."""


class QueryParameterError(QueryError):
    """A parameter has no value, or a value has no parameter."""


class QueryCursorError(QueryError):
    """The query cannot be paged, or the cursor is of another query."""


class QueryTimeoutError(QueryError):
    """The query ran longer than it may."""


class QueryMemoryError(QueryError):
    """The query needs more memory than it may have."""


class QueryFailedError(QueryError):
    """The engine refused the query; paths of files are taken out of the message."""


class SparkRefusedError(QueryError):
    """Spark has nothing that means the same; the message names what, and a way around it.

    Attributes:
        what: what has no equal, e.g. `function approx_quantile`.
    """

    what: str = ""

    @classmethod
    def of(cls, what: str, remedy: str) -> SparkRefusedError:
        """Returns the error that names what has no equal in Spark, and what to do about it."""
        error = cls(f"cannot run query on Spark: {what} has no equal there; {remedy}")
        error.what = what
        return error
