"""What a scorer and a tool are to Play, and how they are found by name. Who makes them is no matter here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tracestore import scorers
from tracestore.errors import UnknownToolError


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says of an output.

    Attributes:
        name: of the score; a scorer may give several.
        score: None where it has nothing to say.
        rationale: why, for people.
        metadata: what else it says; `cost` in dollars counts as the scorer's.
    """

    name: str
    score: float | None
    rationale: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Scorer(Protocol):
    """A judge of outputs. A failure is an exception, whose text is shown; TraceStoreError where there is a remedy."""

    @property
    def name(self) -> str:
        """Returns the name by which it was asked for."""

    @property
    def version(self) -> int | None:
        """Returns the version of its document, None where it has none."""

    async def score(
        self,
        input: Any,  # noqa: A002 - the column's name
        output: Any,
        expected: Any,
        metadata: Any,
    ) -> list[Score]:
        """Returns the scores of an output, none where it has nothing to say."""


class Tool(Protocol):
    """A function that a model may call. A failure is an exception, whose text the model is told."""

    @property
    def name(self) -> str:
        """Returns its name."""

    @property
    def description(self) -> str:
        """Returns what the model is told of it."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """Returns the JSON schema of its arguments."""

    async def call(self, arguments: Any) -> Any:
        """Returns what it gives for some arguments, as a JSON value."""


class Scorers(Protocol):
    """The scorers of a store, by project."""

    def names(self, project: str) -> Collection[str]:
        """Returns the names that there are."""

    def get(self, name: str, project: str) -> Scorer:
        """Returns a scorer; raises UnknownToolError. It may read the catalog: call it in a thread."""


class Tools(Protocol):
    """The stored tools of a store, by project."""

    def names(self, project: str) -> Collection[str]:
        """Returns the names that there are."""

    def get(self, name: str, project: str) -> Tool:
        """Returns a tool; raises UnknownToolError. It may read the catalog: call it in a thread."""


_BUILT_IN: Final[Mapping[str, scorers.Scorer]] = {
    "exact_match": scorers.exact_match,
    "levenshtein": scorers.levenshtein,
    "numeric_closeness": scorers.numeric_closeness,
}


@dataclass(frozen=True, slots=True)
class BuiltInScorer:
    """A scorer of `tracestore.scorers` that compares the output with what was expected."""

    name: str
    function: scorers.Scorer
    version: int | None = None

    async def score(
        self,
        input: Any,  # noqa: A002 - the column's name
        output: Any,
        expected: Any,
        metadata: Any,
    ) -> list[Score]:
        """Returns its score, none where nothing was expected."""
        del input, metadata
        if expected is None:
            return []
        return [Score(self.name, float(self.function(output=output, expected=expected)))]


class BuiltInScorers:
    """The scorers that need no document."""

    def names(self, project: str) -> Sequence[str]:
        """Returns the names that there are."""
        del project
        return list(_BUILT_IN)

    def get(self, name: str, project: str) -> BuiltInScorer:
        """Returns a scorer; raises UnknownToolError."""
        del project
        if name not in _BUILT_IN:
            raise UnknownToolError(
                f"cannot find scorer {name!r}: there is none of that name; there are {', '.join(_BUILT_IN)}"
            )
        return BuiltInScorer(name, _BUILT_IN[name])


class NoTools:
    """The tools of a store that has none."""

    def names(self, project: str) -> Sequence[str]:
        """Returns no name."""
        del project
        return []

    def get(self, name: str, project: str) -> Tool:
        """Raises UnknownToolError."""
        raise UnknownToolError(
            f"cannot find tool {name!r}: project {project!r} has none of that name; define it in the prompt"
        )
