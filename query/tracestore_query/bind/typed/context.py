"""What binds an expression, and where it stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlglot import exp

from tracestore_query.bind.typed.calls import Calls
from tracestore_query.bind.typed.engine_types import EngineTypes
from tracestore_query.bind.values.sources import Bound
from tracestore_query.language.path_syntax import Step


@dataclass(frozen=True, slots=True)
class Local:
    """A name that a lambda gives to what it is called with.

    Attributes:
        type: of the values, None where it is not known.
    """

    type: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """The place of an expression.

    Attributes:
        scope: what names mean there: the binder's own.
        locals: names of lambdas around it.
        clause: of the SELECT, by its key in the tree.
        aggregated: whether an aggregate function is around it.
    """

    scope: Any
    locals: Mapping[str, Local]
    clause: str = ""
    aggregated: bool = False

    def having(self, names: Mapping[str, Local]) -> Context:
        """Returns the same with more names."""
        return Context(self.scope, {**self.locals, **names}, self.clause, self.aggregated)

    def within_aggregate(self) -> Context:
        """Returns the same inside an aggregate function."""
        return Context(self.scope, self.locals, self.clause, aggregated=True)


class Names(Protocol):
    """What looks names up and binds queries."""

    def chain(self, node: exp.Expr, steps: list[Step], context: Context) -> Bound:
        """Returns what a chain of names means."""

    def query(self, node: exp.Expr, context: Context) -> list[Bound] | None:
        """Binds a query inside an expression; returns its columns, None where they are not known."""

    def searched(self, node: exp.Expr, context: Context) -> exp.Expr:
        """Returns the condition of a text search, still to be bound."""


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
