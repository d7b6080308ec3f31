"""A selection of rows: a table, a time range and the condition that a person wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from tracestore.variant import TABLES
from tracestore_query.answer.result import Result
from tracestore_query.errors import QuerySyntaxError
from tracestore_query.language import dialect

MAX_CONDITION_CHARACTERS: Final = 100_000
"""Characters of a condition; a person writes a few hundred."""

RowQuery = Callable[..., Result]
"""The door of SQL, bound to the projects that the caller may see: `run(sql, timeout_s=…)`."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of one table that match a condition in a half-open time range.

    Attributes:
        table: `spans` or `logs`.
        where: the text after WHERE, empty for every row.
        from_ns, to_ns: nanoseconds since 1970; None leaves the range open on that side.
    """

    table: str = "spans"
    where: str = ""
    from_ns: int | None = None
    to_ns: int | None = None

    @property
    def time_column(self) -> str:
        """Returns the name of the column that orders the table's rows in time."""
        return TABLES[self.table].time_ns_column or "start_ns"

    def condition(self, *more: str) -> str:
        """Returns the selection as one SQL condition, narrowed by further conditions.

        Raises:
            QuerySyntaxError: where the text is not one condition.
        """
        terms = [f"{self.time_column} >= {int(self.from_ns)}"] if self.from_ns is not None else []
        if self.to_ns is not None:
            terms.append(f"{self.time_column} < {int(self.to_ns)}")
        if self.where.strip():
            check_condition(self.where)
            # The line's end closes a comment at the end of the text.
            terms.append(f"({self.where}\n)")
        return " AND ".join([*terms, *more]) or "true"


def check_condition(where: str) -> None:
    """Raises QuerySyntaxError where a text is not one condition, as of `1) OR (1`."""
    tree = dialect.parse(f"SELECT 1 FROM spans WHERE {where}\n")
    given = {name for name, value in tree.args.items() if value}
    if not isinstance(tree, exp.Select) or given - {"expressions", "from_", "where", "kind"}:
        raise QuerySyntaxError(
            "cannot use the filter: it is not one condition; leave out GROUP BY, ORDER BY and LIMIT"
        )


def check_expression(text: str) -> None:
    """Raises QuerySyntaxError where a text is not one expression over a row."""
    tree = dialect.parse(f"SELECT {text}\n")
    given = {name for name, value in tree.args.items() if value}
    if not isinstance(tree, exp.Select) or given - {"expressions", "kind"}:
        raise QuerySyntaxError(f"cannot use {text!r}: it is not one expression")
    if len(tree.expressions) != 1 or isinstance(tree.expressions[0], (exp.Star, exp.Alias)):
        raise QuerySyntaxError(f"cannot use {text!r}: it is not one expression")
