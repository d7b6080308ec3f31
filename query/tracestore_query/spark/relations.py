"""Operators of the engine's plan as Spark SQL: each a query whose columns are c0, c1 and so on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tracestore_query.spark.calls import Scope, Typed
from tracestore_query.spark.expressions import Expressions
from tracestore_query.spark.names import column
from tracestore_query.spark.types import EngineType

ID: Final = "__id"
"""The column that tells rows of a scan apart: file and number, the same each time the rows are read."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A query of Spark SQL.

    Attributes:
        sql: the text; its columns are c0, c1 and so on.
        types: of its columns.
        has_id: whether a column `ID` behind them tells its rows apart.
    """

    sql: str
    types: tuple[EngineType, ...]
    has_id: bool = False

    def columns(self, qualifier: str = "", first: int = 0) -> list[Typed]:
        """Returns its columns as expressions."""
        before = f"{qualifier}." if qualifier else ""
        return [
            Typed(f"{before}{column(position)}", kind)
            for position, kind in enumerate(self.types, first)
        ]


def items(texts: Sequence[str]) -> str:
    """Returns a list of a SELECT, with the names of columns by their positions."""
    return ", ".join(f"{text} AS {column(position)}" for position, text in enumerate(texts))


@dataclass(slots=True)
class Context:
    """What the operators of one query share.

    Attributes:
        source: gives the text of a table of the query by the name that its plan has for it, with a column `ID` if
            asked; None where there is no such table.
        scans: the tables that can have that column.
        objects: names of Spark's functions by those of the plan that rebuild objects.
        scope: names that nothing else has.
        views: common table expressions, in the order in which they must be written.
        ctes: names and types of these by their index in the plan.
        wants_id: whether the rows of the next operator are to be told apart.
    """

    source: Callable[[str, bool], str | None]
    scans: Collection[str]
    objects: Mapping[str, str]
    scope: Scope = field(default_factory=Scope)
    views: list[tuple[str, str]] = field(default_factory=list)
    ctes: dict[int, tuple[str, tuple[EngineType, ...]]] = field(default_factory=dict)
    wants_id: bool = False

    def expressions(self, columns: Sequence[Typed]) -> Expressions:
        """Returns what makes texts of expressions over some columns."""
        return Expressions(columns, self.scope, self.objects)


Operator = Callable[[Any, Context], Relation]
