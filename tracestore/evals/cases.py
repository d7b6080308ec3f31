"""What an eval runs over, and what it finds: cases and their results. Knows no telemetry and no store."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tracestore.errors import TraceStoreError


class EvalError(TraceStoreError):
    """An eval that cannot be run as asked, or whose results could not all be stored."""


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """A dataset as of a version or snapshot (default the newest), used as the data of an eval."""

    name: str
    version: int | str | None = None
    project: str | None = None


def dataset(
    name: str, version: int | str | None = None, *, project: str | None = None
) -> DatasetRef:
    """Returns a dataset as the data of an eval.

    Args:
        name: the dataset.
        version: a version's number or a snapshot's name, None for the newest when the eval starts.
        project: the dataset's project, None for that of the eval.
    """
    return DatasetRef(name, version, project)


Data = DatasetRef | Iterable[Mapping[str, Any]] | Callable[[], Iterable[Mapping[str, Any]]]
"""A dataset, rows of `{input, expected, metadata}`, or what returns such rows."""

FIELDS: Final = frozenset({"id", "input", "expected", "metadata", "tags", "origin"})


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to try, `trial` times over; trials count from 0."""

    number: int
    trial: int
    input: Any
    expected: Any = None
    metadata: Any = None
    tags: Any = None
    row_id: str | None = None


@dataclass(slots=True)
class CaseResult:
    """The outcome of one trial of a case.

    Attributes:
        case: what was tried.
        output: of the task, None where it failed.
        error: why the task failed, None where it did not.
        scores: by name; NaN and values outside of 0 to 1 are kept.
        scorer_errors: why scorers failed, by their names.
        duration_s: seconds of the task itself, of the try whose outcome counts.
        trace_id: names the trace, 32 hex digits.
    """

    case: Case
    trace_id: str = ""
    output: Any = None
    error: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    scorer_errors: dict[str, str] = field(default_factory=dict)
    duration_s: float = 0.0


def cases_of(rows: Iterable[Mapping[str, Any]], trials: int) -> Iterator[Case]:
    """Yields each row once for each trial.

    Raises:
        EvalError: naming the row, counted from 0, that is no case.
    """
    for number, row in enumerate(rows):
        if "input" not in row:
            raise EvalError(
                f"cannot run row {number} of the data: it has no input; want {{input, …}}"
            )
        unknown = [str(key) for key in row if key not in FIELDS]
        if unknown:
            raise EvalError(
                f"cannot run row {number} of the data: unexpected fields {', '.join(unknown)}; "
                "put them into metadata"
            )
        row_id = row.get("id")
        for trial in range(trials):
            yield Case(
                number,
                trial,
                row["input"],
                row.get("expected"),
                row.get("metadata"),
                row.get("tags"),
                None if row_id is None else str(row_id),
            )


def scores_of(value: Any, name: str) -> Iterator[tuple[str, float, Any]]:
    """Yields (name, score, metadata) of what a scorer returned, nothing for None.

    Raises:
        EvalError: where it is no score, or a scorer's object tells of an error.
    """
    if value is None:
        return
    if isinstance(value, list | tuple):
        for place, item in enumerate(value, 1):
            # Numbers of a list have no names of their own.
            yield from scores_of(item, name if _has_name(item) else f"{name}_{place}")
    elif hasattr(value, "score") and not isinstance(value, Mapping):
        if getattr(value, "error", None) is not None:
            raise EvalError(f"scorer {name} failed: {value.error}")
        yield from scores_of(
            {key: getattr(value, key, None) for key in ("name", "score", "metadata")}, name
        )
    elif isinstance(value, Mapping):
        score = value.get("score")
        if score is None:
            return
        yield str(value.get("name") or name), _number(score, name), value.get("metadata")
    else:
        yield name, _number(value, name), None


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = None
    if isinstance(value, str) or number is None:
        raise EvalError(
            f"cannot keep what scorer {name} returned: {value!r:.80}; want a number, "
            "{'name', 'score', 'metadata'}, a list of these or None"
        )
    return number


def _has_name(value: Any) -> bool:
    own = value.get("name") if isinstance(value, Mapping) else getattr(value, "name", None)
    return own is not None


def stored(score: float) -> float | str:
    """Returns a score as its span has it: JSON has no NaN and no infinity, so that they are kept as text."""
    return score if math.isfinite(score) else str(score)


def averages(results: Iterable[CaseResult]) -> dict[str, float]:
    """Returns the mean of each score over cases; trials of a case count by their mean.

    NaN and infinity are in no mean; a score that has nothing else is NaN.
    """
    means = {}
    for name, cases in sorted(_by_case(results).items()):
        finite = [list(filter(math.isfinite, trials)) for trials in cases.values()]
        own = [math.fsum(trials) / len(trials) for trials in finite if trials]
        means[name] = math.fsum(own) / len(own) if own else math.nan
    return means


def spreads(results: Iterable[CaseResult]) -> dict[str, float]:
    """Returns of each score how far the trials of a case lie apart, in the mean over cases of several trials."""
    found = {}
    for name, cases in _by_case(results).items():
        finite = [list(filter(math.isfinite, trials)) for trials in cases.values()]
        apart = [max(trials) - min(trials) for trials in finite if len(trials) > 1]
        if apart:
            found[name] = math.fsum(apart) / len(apart)
    return found


def unusual(results: Iterable[CaseResult]) -> dict[str, tuple[int, int]]:
    """Returns the scores of which some values are no number (the first count) or outside of 0 to 1 (the second)."""
    found: dict[str, tuple[int, int]] = {}
    for name, cases in _by_case(results).items():
        values = [value for trials in cases.values() for value in trials]
        nothing = sum(not math.isfinite(value) for value in values)
        outside = sum(math.isfinite(value) and not 0 <= value <= 1 for value in values)
        if nothing or outside:
            found[name] = (nothing, outside)
    return found


def _by_case(results: Iterable[CaseResult]) -> dict[str, dict[int, list[float]]]:
    gathered: dict[str, dict[int, list[float]]] = {}
    for result in results:
        for name, score in result.scores.items():
            gathered.setdefault(name, {}).setdefault(result.case.number, []).append(score)
    return gathered
