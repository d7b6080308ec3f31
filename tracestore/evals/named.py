"""Scorers by name: those of a server become functions that ask it, so that they stand beside functions of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracestore import scorers
from tracestore.evals.cases import EvalError
from tracestore.scorers import Scorer

BUILT_IN = ("exact_match", "levenshtein", "numeric_closeness")
"""Names that mean the functions of `tracestore.scorers`, on a server and beside it."""


def resolved(given: Sequence[Scorer | str], target: Any, project: str | None) -> list[Scorer]:
    """Returns scorers with those of the target in the place of names.

    Raises:
        EvalError: for a name that no scorer has.
    """
    names = [each for each in given if isinstance(each, str)]
    stored = [name for name in names if name not in BUILT_IN]
    if stored:
        _check(stored, target, project)
    return [_named(each, target, project) if isinstance(each, str) else each for each in given]


def _check(names: Sequence[str], target: Any, project: str | None) -> None:
    if not hasattr(target, "scorers"):
        raise EvalError(
            f"cannot use scorer {names[0]!r}: stored scorers run on a server; give url= or start one"
        )
    there = [each["name"] for each in target.scorers.list(project=project)]
    for name in names:
        if name not in there:
            raise EvalError(
                f"cannot use scorer {name!r}: the server has {', '.join(there)}; "
                "put it there with `tracestore push FILE.py`"
            )


def _named(name: str, target: Any, project: str | None) -> Scorer:
    if name in BUILT_IN:
        function: Scorer = getattr(scorers, name)
        return function

    def scorer(
        input: Any,  # noqa: A002 - a scorer's argument
        output: Any,
        expected: Any,
        metadata: Any,
    ) -> list[dict[str, Any]]:
        scores = target.scorers.score(
            name, project=project, input=input, output=output, expected=expected, metadata=metadata
        )
        return [_with_rationale(each) for each in scores]

    scorer.__name__ = name
    return scorer


def _with_rationale(score: dict[str, Any]) -> dict[str, Any]:
    rationale = score.pop("rationale", None)
    if rationale is not None:
        score["metadata"] = {**score["metadata"], "rationale": rationale}
    return score
