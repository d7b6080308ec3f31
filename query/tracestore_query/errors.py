"""What can be wrong with a query, each with a hint that names the way out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

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


Names = Callable[[], Mapping[str, str]]
"""Gives what the columns that a query reads are called by who asked."""

_VALUE: Final = re.compile(r"STRUCT\(__kind [^)]*\)")
_ITEM: Final = re.compile(r"STRUCT\(__item [^)]*\)")
_LITERAL: Final = {"INTEGER_LITERAL": "INTEGER", "STRING_LITERAL": "VARCHAR"}
# Absolute, or of a name that only files have.
_FILE: Final = re.compile(r"(?<![\w/])(?:[A-Za-z]:)?/[^\s'\",:)]+|[^\s'\"]+\.(?:parquet|tail)\b")
_SETTING: Final = re.compile(r"[^.!]*\bSET \w+[^.]*\.?")
# An expression that is spelled back: what became of a short one inside the engine is long.
_SPELLED: Final = re.compile(r'"[^"].{100,}"|\(.{100,}\)')
_OURS: Final = re.compile(r'"?(__\w+)"?(\.?)')


def of_engine(message: str, names: Names = dict) -> str:
    """Returns what an engine's message says in the words of who asked.

    Of several lines the first says what is wrong; the others show the engine's text and its functions. Types of ours
    have the names that the guide gives them, and columns of ours those of their paths. Nobody may change settings.
    """
    first = message.strip().partition("\n")[0]
    first = _ITEM.sub("JSON", _VALUE.sub("value", first))
    for literal, sql_type in _LITERAL.items():
        first = first.replace(literal, sql_type)
    first = _SPELLED.sub("(...)", _SETTING.sub("", _FILE.sub("<file>", first)))
    if "__" not in first:
        return first.strip()
    known = names()

    def named(found: re.Match[str]) -> str:
        name = known.get(found[1])
        return f"{name or 'a value'}{found[2]}" if name or not found[2] else ""

    return _OURS.sub(named, first).strip()


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
