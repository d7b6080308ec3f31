"""A scorer that is a Python function in the sandbox."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tracestore.errors import CodeError
from tracestore.play.scorers.body import PythonScorerBody
from tracestore.play.scorers.results import scores_of
from tracestore.play.scoring import Score
from tracestore.sandbox.bounds import Bounds
from tracestore.sandbox.outcome import Outcome
from tracestore.sandbox.sandbox import Sandbox
from tracestore.scorers import ARGUMENTS


@dataclass(frozen=True, slots=True)
class PythonScorer:
    """A function that runs in the sandbox.

    Attributes:
        sandbox: runs it.
    """

    name: str
    version: int | None
    body: PythonScorerBody
    sandbox: Sandbox

    async def score(
        self,
        input: Any,  # noqa: A002 - the column's name
        output: Any,
        expected: Any,
        metadata: Any,
    ) -> list[Score]:
        """Returns what it says of an output; raises CodeError, PlayError where it fails, SandboxError."""
        values = (input, output, expected, metadata)
        outcome = await asyncio.to_thread(self.tried, dict(zip(ARGUMENTS, values, strict=True)))
        if outcome.failure is not None:
            raise CodeError(f"cannot run {self.name}: {outcome.failure}", outcome.failure.line)
        return scores_of(outcome.value, self.name)

    def tried(self, arguments: dict[str, Any], time_s: float | None = None) -> Outcome:
        """Returns what became of one call; raises SandboxError."""
        bounds = Bounds() if time_s is None else Bounds(time_s=time_s)
        return self.sandbox.call(self.body.code, self.body.function, arguments, bounds)


def check_function(
    sandbox: Sandbox, code: str, name: str, known: tuple[str, ...] | None = None
) -> None:
    """Checks that the sandbox takes some code and that it has a function which can be called.

    Args:
        sandbox: looks at it.
        code: the module.
        name: of the function.
        known: the arguments that there are; None for any.

    Raises:
        CodeError: with the line that is not taken.
        SandboxError: where there is no turn.
    """
    checked = sandbox.check(code)
    if checked.failure is not None:
        raise CodeError(f"cannot take the code: {checked.failure}", checked.failure.line)
    function = checked.function(name)
    if function is None:
        there = ", ".join(each.name for each in checked.functions) or "none"
        raise CodeError(f"cannot take the code: it has no function {name!r} but {there}", None)
    for parameter in function.parameters:
        if known is not None and parameter.required and parameter.name not in known:
            raise CodeError(
                f"cannot take the code: line {function.line}: {name} wants {parameter.name!r}; "
                f"declare some of {', '.join(known)}",
                function.line,
            )
