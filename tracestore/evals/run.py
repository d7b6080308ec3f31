"""Runs the cases of an eval: tasks and scorers, sync and async, several at a time; a failing case is one result."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import tenacity
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from tracestore.evals import spans as eval_spans
from tracestore.evals.calling import called, said, timed
from tracestore.evals.cases import Case, CaseResult, scores_of, stored
from tracestore.evals.spans import Collector, attributes, scoring
from tracestore.scorers import Scorer, arguments_of, name_of, named

RETRY_WAIT_S = 0.2
"""The first wait before a task is tried again; it doubles, at random, up to ten seconds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The way in which cases are run.

    Attributes:
        task: from input to output.
        scorers: what the outputs are worth.
        concurrency: cases under way at once.
        timeout_s: seconds that one try of a task, or a scorer, may take; None for no bound.
        retries: times that a task which failed is tried again.
    """

    task: Callable[..., Any]
    scorers: Sequence[Scorer]
    concurrency: int = 8
    timeout_s: float | None = None
    retries: int = 0


@dataclass(slots=True)
class Outcome:
    """The results of a run in the order they came, and whether somebody stopped it."""

    results: list[CaseResult] = field(default_factory=list)
    interrupted: bool = False


def run_cases(
    plan: Plan, cases: Iterator[Case], collector: Collector, on_result: Callable[[CaseResult], None]
) -> Outcome:
    """Runs cases until there are none, or Ctrl-C; what is done by then is kept.

    Works inside of a running event loop, too, which waits meanwhile.
    """
    runner = _Runner(plan, cases, collector, on_result)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(runner.run())
        return runner.outcome
    thread = threading.Thread(target=lambda: asyncio.run(runner.run()), name="eval")
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        runner.stop()
        thread.join()
    if runner.failure is not None:
        raise runner.failure
    return runner.outcome


class _Runner:
    def __init__(
        self,
        plan: Plan,
        cases: Iterator[Case],
        collector: Collector,
        on_result: Callable[[CaseResult], None],
    ) -> None:
        self._plan = plan
        self._cases = cases
        self._collector = collector
        self._on_result = on_result
        self._tracer: Tracer = eval_spans.tracer()
        # Looked at once: a scorer that cannot be called is told of before any case runs.
        self._scorers = [
            (scorer, name, arguments_of(scorer)) for name, scorer in named(plan.scorers)
        ]
        self._task_arguments = _task_arguments(plan.task)
        self.outcome = Outcome()
        self.failure: BaseException | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Ends the cases under way, from another thread."""
        if self._loop is not None:
            self.outcome.interrupted = True
            self._loop.call_soon_threadsafe(lambda: [worker.cancel() for worker in self._workers])

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._plan.concurrency)]
        try:
            await asyncio.gather(*self._workers)
        except asyncio.CancelledError:
            # Ctrl-C: asyncio cancels this task. Results are kept, so it ends as if it were done.
            self.outcome.interrupted = True
        except BaseException as error:
            self.failure = error
            raise
        finally:
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        for case in self._cases:
            result = await self._run_case(case)
            self.outcome.results.append(result)
            self._on_result(result)

    async def _run_case(self, case: Case) -> CaseResult:
        result = CaseResult(case)
        fields = {
            "type": "eval",
            "input": case.input,
            "expected": case.expected,
            "metadata": case.metadata,
            "tags": case.tags,
            "row_id": case.row_id,
            "trial": case.trial,
        }
        # A context of its own: a case is the root of its trace, whatever runs around the eval.
        root = self._tracer.start_span("case", context=Context())
        trace_id = root.get_span_context().trace_id
        result.trace_id = f"{trace_id:032x}"
        self._collector.begin(trace_id)
        root.set_attributes(attributes(fields))
        try:
            with _current(root):
                await self._try_task(case, result)
                if result.error is None:
                    await self._score(case, result)
            scores = {name: stored(score) for name, score in result.scores.items()}
            outcome = {"output": result.output, "scores": scores or None}
            root.set_attributes(attributes(outcome))
            if result.error is not None:
                root.set_attributes(attributes({"error": {"message": result.error}}))
                root.set_status(Status(StatusCode.ERROR, result.error))
            root.end()
            self._collector.done(trace_id)
        finally:
            if root.is_recording():
                # Stopped midway: not a case that was tried, so that nobody takes it for one.
                self._collector.forget(trace_id)
                root.end()
        return result

    async def _try_task(self, case: Case, result: CaseResult) -> None:
        try:
            async for attempt in tenacity.AsyncRetrying(
                stop=tenacity.stop_after_attempt(self._plan.retries + 1),
                wait=tenacity.wait_random_exponential(multiplier=RETRY_WAIT_S, max=10),
                retry=tenacity.retry_if_exception_type(Exception),
                reraise=True,
            ):
                with attempt:
                    result.output = await self._call_task(case, result)
        except Exception as error:  # noqa: BLE001 - whatever the task raises is its case's result
            result.error = said(error)

    async def _call_task(self, case: Case, result: CaseResult) -> Any:
        values = {"expected": case.expected, "metadata": case.metadata}
        given = {name: values[name] for name in self._task_arguments}
        with self._span(name_of(self._plan.task), {"type": "task", "input": case.input}) as span:
            call = timed(self._plan.task, partial(setattr, result, "duration_s"))
            output = await called(call, self._plan.timeout_s, case.input, **given)
            # Now, since the case's own attributes want it as JSON as well.
            output = json.loads(json.dumps(output, default=str))
            span.set_attributes(attributes({"output": output}))
            return output

    async def _score(self, case: Case, result: CaseResult) -> None:
        values = {
            "input": case.input,
            "output": result.output,
            "expected": case.expected,
            "metadata": case.metadata,
        }
        for scorer, name, arguments in self._scorers:
            try:
                with scoring(), self._span(name, {"type": "score"}) as span:
                    given = {argument: values[argument] for argument in arguments}
                    returned = await called(scorer, self._plan.timeout_s, **given)
                    for score_name, score, metadata in scores_of(returned, name):
                        result.scores[score_name] = score
                        told = {"output": {"score": stored(score)}, "metadata": metadata}
                        span.set_attributes(attributes(told))
            except Exception as error:  # noqa: BLE001 - a scorer that fails gives no score
                result.scorer_errors[name] = said(error)

    def _span(self, name: str, fields: dict[str, Any]) -> _Spanned:
        return _Spanned(self._tracer.start_span(name, attributes=attributes(fields)))


class _Spanned:
    """A span that is current inside a `with`, and ends with it; an error that leaves it is noted."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._current = _current(span)

    def __enter__(self) -> Span:
        self._current.__enter__()
        return self._span

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._current.__exit__(kind, error, traceback)
        if isinstance(error, Exception):
            self._span.record_exception(error)
            self._span.set_attributes(attributes({"error": {"message": said(error)}}))
            self._span.set_status(Status(StatusCode.ERROR, said(error)))
        self._span.end()


def _current(span: Span) -> Any:
    return trace.use_span(
        span, end_on_exit=False, record_exception=False, set_status_on_exception=False
    )


def _task_arguments(task: Callable[..., Any]) -> list[str]:
    """Returns what a task declares beside its first argument, which is the input."""
    try:
        parameters = list(inspect.signature(task).parameters.values())
    except ValueError:  # a built-in type, such as str
        return []
    named = [
        parameter.name
        for parameter in parameters[1:]
        if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
    ]
    return [name for name in ("expected", "metadata") if name in named]
