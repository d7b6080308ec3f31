"""`experiment('name'[, 'project'])` and `project_logs('project')`: spans by what they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tracestore_query.errors import UnknownNameError
from tracestore_query.tables.meaning import StoredRows, StoreFacts
from tracestore_query.tables.predicate import Equals, IsNull


def experiment(arguments: Sequence[exp.Expr], _facts: StoreFacts) -> StoredRows:
    """Returns the spans of an experiment.

    Raises:
        UnknownNameError: where the arguments are not a name and a project in quotes.
    """
    texts = _texts("experiment('name'[, 'project'])", arguments, at_most=2)
    columns = ("experiment", "project")
    conditions = (Equals(column, text) for column, text in zip(columns, texts, strict=False))
    return StoredRows("spans", tuple(conditions))


def project_logs(arguments: Sequence[exp.Expr], _facts: StoreFacts) -> StoredRows:
    """Returns the spans of a project that belong to no experiment.

    Raises:
        UnknownNameError: where the argument is not a project in quotes.
    """
    [project] = _texts("project_logs('project')", arguments, at_most=1)
    return StoredRows("spans", (IsNull("experiment"), Equals("project", project)))


def _texts(usage: str, arguments: Sequence[exp.Expr], *, at_most: int) -> list[str]:
    name = usage.partition("(")[0]
    texts = [
        str(argument.this)
        for argument in arguments
        if isinstance(argument, exp.Literal) and argument.is_string
    ]
    if len(texts) != len(arguments):
        raise UnknownNameError(f"cannot run query: {name}() takes names in quotes")
    if not 1 <= len(texts) <= at_most:
        raise UnknownNameError(f"cannot run query: {name}() has other arguments; want {usage}")
    return texts
