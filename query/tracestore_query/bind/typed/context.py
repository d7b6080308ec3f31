"""What binds an expression, and where it stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from sqlglot import exp

from tracestore_query.bind.text_search import Search
from tracestore_query.bind.typed.calls import Calls
from tracestore_query.bind.typed.engine_types import EngineTypes
from tracestore_query.bind.values.item_columns import ItemLists
from tracestore_query.bind.values.sources import Bound, Source
from tracestore_query.errors import QueryForbiddenError
from tracestore_query.language.path_syntax import Step

MAX_NESTED_INDEXES: Final = 8
"""Indexes inside one another, as in `a[b[c[0]]]`. Each stands twice in the engine's text, and so doubles it."""

INDEXES_OF_QUERY: Final = MAX_NESTED_INDEXES
"""Indexes that a query inside an index counts for: there is no computed index inside it."""


@dataclass(frozen=True, slots=True)
class Local:
    """A name that a lambda gives to what it is called with.

    Attributes:
        type: of the values, None where it is not known.
        key: where they stand for items of a list, the key of which they are the texts.
    """

    type: str | None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """The place of an expression.

    Attributes:
        scope: what names mean there: the binder's own.
        locals: names of lambdas around it.
        clause: of the SELECT, by its key in the tree.
        aggregated: whether an aggregate function is around it.
        indexes: how many indexes are around it, each the index of the next.
    """

    scope: Any
    locals: Mapping[str, Local]
    clause: str = ""
    aggregated: bool = False
    indexes: int = 0

    def having(self, names: Mapping[str, Local]) -> Context:
        """Returns the same with more names."""
        return replace(self, locals={**self.locals, **names})

    def within_aggregate(self) -> Context:
        """Returns the same inside an aggregate function."""
        return replace(self, aggregated=True)

    def within_index(self) -> Context:
        """Returns the same inside an index; raises QueryForbiddenError where too many are around it."""
        if self.scope.indexes + self.indexes >= MAX_NESTED_INDEXES:
            raise QueryForbiddenError(
                f"cannot run query: more than {MAX_NESTED_INDEXES} indexes stand inside one another"
            )
        return replace(self, indexes=self.indexes + 1)


class Names(Protocol):
    """What looks names up and binds queries."""

    def chain(self, node: exp.Expr, steps: list[Step], context: Context) -> Bound:
        """Returns what a chain of names means."""

    def query(self, node: exp.Expr, context: Context) -> list[Bound] | None:
        """Binds a query inside an expression; returns its columns, None where they are not known."""

    def item_lists(self, source: Source) -> Callable[[str], ItemLists | None] | None:
        """Returns what gives what is read for a key of a list's items, None where the list is no path."""

    def searched(self, node: exp.Expr, context: Context) -> Search:
        """Returns what a text search asks for, still to be bound."""


class Expressions(ABC):
    """What binds expressions.

    Attributes:
        names: what names mean.
        types: what the engine makes of an expression.
        calls: functions and operators.
    """

    names: Names
    types: EngineTypes
    calls: Calls

    @abstractmethod
    def bind(self, node: exp.Expr, context: Context) -> Bound:
        """Binds an expression; what it returns still waits to be taken for its use."""

    @abstractmethod
    def bare(self, node: exp.Expr, context: Context) -> Bound:
        """Binds an expression and takes it as it is: values of several kinds as tagged ones."""

    @abstractmethod
    def settle(self, bound: Bound) -> None:
        """Takes an expression as it is, with JSON text as tagged values."""

    @abstractmethod
    def condition(self, node: exp.Expr, context: Context) -> None:
        """Binds an expression that must be true."""

    @abstractmethod
    def type_of(self, bound: Bound) -> str | None:
        """Returns the type of what is bound, asked of the engine where nobody knows it."""
