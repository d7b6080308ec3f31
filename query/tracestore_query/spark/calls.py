"""A call of one of the engine's functions, and what makes Spark's text of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.spark.types import EngineType

_SHORT: Final = re.compile(r"[\w`.]{1,64}|-?[\d.]+[DLS]?|'[^'\\]{0,40}'")


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression of Spark SQL.

    Attributes:
        sql: the text.
        type: the engine's type of it; the text has Spark's type for that.
        constant: its value, where the plan has it as a constant.
        is_constant: whether it is one.
    """

    sql: str
    type: EngineType
    constant: Any = None
    is_constant: bool = False


@dataclass(slots=True)
class Scope:
    """What the expressions of one query share: names that nothing else has."""

    numbers: Iterator[int] = field(default_factory=itertools.count)

    def name(self) -> str:
        """Returns a name for a parameter of a lambda."""
        return f"v{next(self.numbers)}"

    def let(self, sql: str, make: Callable[[str], str]) -> str:
        """Returns what `make` gives of an expression, which stands in the text once, however often it is used."""
        if _SHORT.fullmatch(sql):
            return make(sql)
        name = self.name()
        return f"transform(array({sql}), {name} -> {make(name)})[0]"


@dataclass(frozen=True, slots=True)
class Call:
    """A call.

    Attributes:
        name: of the function.
        arguments: translated.
        type: of the result.
        scope: of the query.
    """

    name: str
    arguments: Sequence[Typed]
    type: EngineType
    scope: Scope

    def __getitem__(self, position: int) -> str:
        """Returns the text of an argument."""
        return self.arguments[position].sql

    @property
    def texts(self) -> list[str]:
        """Returns the texts of all arguments."""
        return [argument.sql for argument in self.arguments]

    def let(self, position: int, make: Callable[[str], str]) -> str:
        """Returns what `make` gives of an argument that it uses several times."""
        return self.scope.let(self[position], make)

    def constant(self, position: int) -> Any:
        """Returns the value of an argument that must be a constant.

        Raises:
            SparkRefusedError: where it is none.
        """
        argument = self.arguments[position]
        if not argument.is_constant:
            raise self.refused(f"with argument {position + 1} from a row", "give a constant")
        return argument.constant

    def refused(
        self, form: str = "", remedy: str = "compute it from the rows of the answer"
    ) -> SparkRefusedError:
        """Returns the error that names the function."""
        return SparkRefusedError.of(f"function {self.name} {form}".strip(), remedy)


Builder = Callable[[Call], str]
"""Gives the text of a call, in Spark's type for the type of its result."""


def template(text: str) -> Builder:
    """Returns what puts the texts of arguments into a text: `{0}`, `{1}`, each once."""
    wanted = len({field for _, field, _, _ in Formatter().parse(text) if field is not None})

    def build(call: Call) -> str:
        if len(call.arguments) != wanted:
            raise call.refused(f"with {len(call.arguments)} arguments", f"give {wanted}")
        return text.format(*call.texts)

    return build


def converted(text: str) -> Builder:
    """Returns the same with the result converted to Spark's type for it: Spark's function gives another."""
    build = template(text)
    return lambda call: f"CAST({build(call)} AS {call.type.spark})"
