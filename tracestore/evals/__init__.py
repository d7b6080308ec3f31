"""`Eval`: runs a task over cases, scores what comes out, and stores all of it as an experiment's spans.

Knows HTTP and opentelemetry-sdk; a store that is open in this process has the same verbs as a client.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import tenacity
from rich.console import Console

from tracestore.client import Client, ClientError
from tracestore.errors import ServerUnreachableError
from tracestore.evals import bases, named, regressions
from tracestore.evals import report as eval_report
from tracestore.evals.cases import (
    CaseResult,
    Data,
    DatasetRef,
    EvalError,
    cases_of,
    dataset,
)
from tracestore.evals.report import EvalResult, ScoreSummary
from tracestore.evals.run import Plan, run_cases
from tracestore.evals.spans import Collector
from tracestore.scorers import Scorer

__all__ = ["CaseResult", "Eval", "EvalError", "EvalResult", "ScoreSummary", "dataset", "running_on"]

SEND_TRIES: Final = 6
"""Times that spans are sent to a server that is busy or out of reach, over about half a minute."""

_BUSY: Final = frozenset({429, 502, 503, 504})


@dataclass(slots=True)
class Surroundings:
    """All that evals use without naming a store, and the place where their results are gathered."""

    target: Any = None
    results: list[EvalResult] = field(default_factory=list)
    concurrency: int | None = None


_surroundings: ContextVar[Surroundings | None] = ContextVar("tracestore_evals", default=None)


@contextlib.contextmanager
def running_on(target: Any, *, concurrency: int | None = None) -> Iterator[Surroundings]:
    """Lets evals inside that name no store use a client or a store, and gathers their results."""
    around = Surroundings(target, concurrency=concurrency)
    token = _surroundings.set(around)
    try:
        yield around
    finally:
        _surroundings.reset(token)


def Eval(  # noqa: N802 - a name that users know, in the manner of a class
    project: str,
    *,
    data: Data,
    task: Callable[..., Any],
    scores: Sequence[Scorer | str] = (),
    experiment: str | None = None,
    base: str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    store: Any = None,
    metadata: Mapping[str, Any] | None = None,
    git_commit: str | None = None,
    concurrency: int = 8,
    trials: int = 1,
    timeout_s: float | None = None,
    retries: int = 0,
    progress: bool | None = None,
    summary: bool = True,
) -> EvalResult:
    """Runs a task over cases and scores what comes out; every case is a trace of an experiment.

    Args:
        project: owns the experiment.
        data: rows of `{input, expected, metadata}`: a list, an iterator, a function that returns one, or
            `dataset('name')`.
        task: a function, sync or async, from an input to an output; it may declare `expected` and
            `metadata` too. Spans that it makes join the case's trace.
        scores: scorers, see `tracestore.scorers`; a name is a scorer that is stored on the server.
        experiment: the experiment's name, by default the project and the time. Where the name is taken,
            a number is added.
        base: the experiment to compare with; default the last whole run on the same dataset, else the last that
            shares inputs with this one.
        url: a server; default the environment's `TRACESTORE_URL`.
        api_key: for the server; default the environment's `TRACESTORE_API_KEY`.
        store: an open store instead of a server.
        metadata: of the experiment.
        git_commit: of the code; default that of the working folder.
        concurrency: cases under way at once.
        trials: times that each case is tried.
        timeout_s: seconds that one try of the task, or a scorer, may take.
        retries: times that a task which failed is tried again.
        progress: whether a bar is shown; default on a terminal.
        summary: whether a summary is printed.

    A case that fails is one result and stops nothing. Ctrl-C ends the run and keeps what is done:
    `EvalResult.interrupted` tells.

    Raises:
        EvalError: for data, scorers or names that cannot be used, and where spans could not be stored.
        ClientError: with the server's message.
    """
    if concurrency < 1 or trials < 1 or retries < 0:
        raise EvalError(
            "cannot run eval: concurrency and trials are at least 1, retries at least 0"
        )
    around = _surroundings.get()
    with contextlib.ExitStack() as resources:
        target = _target(resources, url, api_key, store, around)
        scorers = named.resolved(scores, target, project)
        rows, (dataset_name, version) = _rows(target, data, project)
        record = target.experiments.create(
            experiment or f"{project} {_now()}",
            project=project,
            metadata=bases.with_state(metadata, bases.RUNNING),
            dataset=dataset_name,
            dataset_version=version,
            base=base,
            git_commit=git_commit or _git_commit(),
            unique=True,
        )
        # A server answers with JSON, a store with a record.
        name = str(record["name"] if isinstance(record, Mapping) else record.name)
        result = EvalResult(project, name, base)
        plan = Plan(
            task, tuple(scorers), (around and around.concurrency) or concurrency, timeout_s, retries
        )
        total = len(rows) * trials if isinstance(rows, Sequence) else None
        collector = Collector(_sender(target, project, name))
        try:
            with eval_report.bar(name, total, shown=progress) as bar:
                outcome = run_cases(plan, cases_of(rows, trials), collector, bar.count)
        finally:
            collector.close()
        result.cases = outcome.results
        result.interrupted = outcome.interrupted
        state = bases.INTERRUPTED if outcome.interrupted else bases.DONE
        target.experiments.create(name, project=project, metadata=bases.with_state(metadata, state))
        if around is not None:
            around.results.append(result)
        if collector.errors:
            raise EvalError(
                f"cannot store all of experiment {name!r}: {len(collector.errors)} requests failed: "
                f"{collector.errors[0]}"
            ) from collector.errors[0]
        chosen = bases.chosen(target, project, name, base, dataset_name)
        if chosen is not None:
            result.base, result.base_reason = chosen
            if base is None:
                target.experiments.create(name, project=project, base=result.base)
        result.compared = _compared(target, project, result.base, name, result)
        result.scores = eval_report.summarize(result.cases, result.compared)
        result.regressions = regressions.worst(target, project, result.compared)
        if result.base is not None:
            result.command = regressions.command(target, project, result.base, name)
    if summary:
        eval_report.show(Console(), result)
    return result


def _target(
    resources: contextlib.ExitStack,
    url: str | None,
    api_key: str | None,
    store: Any,
    around: Surroundings | None,
) -> Any:
    if store is not None and url is not None:
        raise EvalError("cannot run eval: both url and store are given; give one")
    if store is not None:
        return store
    if url is None and around is not None and around.target is not None:
        return around.target
    url = url or os.environ.get("TRACESTORE_URL")
    if not url:
        raise EvalError(
            "cannot run eval: it has no store; give url= or store=, set TRACESTORE_URL, "
            "or run the file by `tracestore eval`"
        )
    return resources.enter_context(Client(url, api_key or os.environ.get("TRACESTORE_API_KEY")))


def _rows(
    target: Any, data: Data, project: str
) -> tuple[Iterable[Mapping[str, Any]], tuple[str | None, int | None]]:
    """Returns the rows to run, and the dataset and version that they are of."""
    if not isinstance(data, DatasetRef):
        return (data() if callable(data) else data), (None, None)
    owner = data.project or project
    version = data.version
    if not isinstance(version, int):
        version = _resolved(target, data.name, owner, version)
    rows = list(target.datasets.rows(data.name, version, project=owner))
    return rows, (data.name, version)


def _resolved(target: Any, name: str, project: str, wanted: str | None) -> int:
    """Returns the version that a snapshot's name or None means now."""
    rows = target.sql(
        "SELECT version, snapshots FROM dataset_versions "
        "WHERE name = $name AND project = $project ORDER BY version DESC",
        {"name": name, "project": project},
    ).rows()
    for row in rows:
        if wanted is None or wanted in (row["snapshots"] or ()):
            return int(row["version"])
    missing = f"dataset {name!r}" if wanted is None else f"snapshot {wanted!r} of dataset {name!r}"
    raise EvalError(f"cannot run eval: project {project!r} has no {missing}, or it has no rows")


def _sender(target: Any, project: str, experiment: str) -> Callable[[bytes], None]:
    """Returns what stores one request of spans; a server that is busy is asked again: spans are stored once."""

    @tenacity.retry(
        retry=tenacity.retry_if_exception(_may_work_later),
        stop=tenacity.stop_after_attempt(SEND_TRIES),
        wait=tenacity.wait_random_exponential(multiplier=0.3, max=15),
        reraise=True,
    )
    def send(body: bytes) -> None:
        target.ingest_otlp(body, "traces", project=project, experiment=experiment)

    return send


def _may_work_later(error: BaseException) -> bool:
    return isinstance(error, ServerUnreachableError) or (
        isinstance(error, ClientError) and error.status in _BUSY
    )


def _compared(
    target: Any, project: str, base: str | None, name: str, result: EvalResult
) -> dict[str, Any] | None:
    """Returns the comparison with the base, None where one of them has no case."""
    if base is None or not result.cases:
        return None
    rows = target.sql(
        "SELECT DISTINCT experiment FROM spans WHERE project = $project AND is_root "
        "AND input_key IS NOT NULL AND experiment IN ($base, $name)",
        {"base": base, "name": name, "project": project},
    ).rows()
    if len(rows) < 2:
        return None
    compared: dict[str, Any] = target.experiments.compare(base, name, project=project)
    return compared


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _git_commit() -> str | None:
    """Returns the commit of the working folder, None where it is no clone."""
    try:
        git = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return git.stdout.strip() or None
