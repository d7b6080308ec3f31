"""What became of a call in the sandbox, and of a look at code. These cross between processes, and are checked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Kind = Literal["syntax", "error", "time", "memory", "recursion", "output", "input", "ended"]
"""Why a call has no result.

`syntax`: code that the interpreter does not take. `error`: an exception of the code's own. `time`, `memory`,
`recursion`, `output`: a bound that it reached. `input`: arguments that cannot be given. `ended`: its process ended.
"""

_KINDS: Final = frozenset(get_args(Kind))


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a call has no result.

    Attributes:
        kind: what kind of reason it is.
        message: what is wrong, for people.
        line: of the code, from 1 on; None where no line is to blame.
    """

    kind: Kind
    message: str
    line: int | None = None

    def __str__(self) -> str:
        """Returns it as a line for people."""
        return self.message if self.line is None else f"line {self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a call: a value or a failure.

    Attributes:
        value: what the function returned, as JSON has it; None where it failed.
        printed: what it printed, cut at the bound.
        seconds: that it ran.
        failure: why there is no value, None where there is.
    """

    value: Any = None
    printed: str = ""
    seconds: float = 0.0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function; `annotation` is its source text."""

    name: str
    required: bool
    annotation: str | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A function at the top of a document's code.

    Attributes:
        takes_any: whether it takes keywords that it does not name.
    """

    name: str
    line: int
    parameters: tuple[Parameter, ...] = ()
    takes_any: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """The functions that code defines, or why it is not taken."""

    functions: tuple[Function, ...] = field(default=())
    failure: Failure | None = None

    def function(self, name: str) -> Function | None:
        """Returns the function of a name, None where there is none."""
        return next((each for each in self.functions if each.name == name), None)


def outcome_of(answer: Mapping[str, Any]) -> Outcome:
    """Returns the outcome in an answer; raises ValueError, KeyError or TypeError where it is none."""
    return Outcome(
        answer.get("value"),
        _text(answer["printed"]),
        float(answer["seconds"]),
        failure_of(answer.get("failure")),
    )


def checked_of(answer: Mapping[str, Any]) -> Checked:
    """Returns what a look at code gave; raises as `outcome_of` does."""
    functions = tuple(
        Function(
            _text(each["name"]),
            int(each["line"]),
            tuple(map(_parameter, each["parameters"])),
            bool(each["takes_any"]),
            _text(each["description"]),
        )
        for each in answer["functions"]
    )
    return Checked(functions, failure_of(answer.get("failure")))


def _parameter(told: Mapping[str, Any]) -> Parameter:
    hint = told["annotation"]
    return Parameter(
        _text(told["name"]), bool(told["required"]), None if hint is None else _text(hint)
    )


def failure_of(told: Mapping[str, Any] | None) -> Failure | None:
    """Returns the failure that an answer tells of."""
    if told is None:
        return None
    kind, line = told["kind"], told["line"]
    if kind not in _KINDS:
        raise ValueError(f"unexpected kind of failure {kind!r}")
    return Failure(kind, _text(told["message"]), None if line is None else int(line))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"unexpected {type(value).__name__}; want a text")
    return value
