"""Runs one cell: the prompt with the row's values, then the scorers, as one trace of the column's experiment."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from tracestore.embedded import Store
from tracestore.errors import TraceStoreError
from tracestore.play.own_queries import OwnQueries
from tracestore.play.prompts.prompts import Prompts
from tracestore.play.prompts.rendering import values_of
from tracestore.play.prompts.running import PromptRunner, Ran, Ready
from tracestore.play.providers.calls import TextDelta
from tracestore.play.runs.cells import ATTRIBUTE, Cell, CellId
from tracestore.play.runs.rows import PlayRow
from tracestore.play.runs.viewers import Viewers
from tracestore.play.scoring import Scorer
from tracestore.play.trace_rows import OpenSpan, TraceRows

SCORER_TIMEOUT_S: Final = 120.0
"""Seconds that one scorer may take: a judge is a call of a model."""

DELTA_S: Final = 0.1
"""Seconds between two parts of a cell's text that viewers are told."""

SCORER_MARK: Final = {"tracestore.purpose": "scorer"}
"""Marks a span as no part of what is tried: its tokens do not count."""


@dataclass(frozen=True, slots=True)
class Job:
    """One cell that is to be run.

    Attributes:
        key: what column, row and scorers are.
        experiment: the experiment that it is a case of.
    """

    project: str
    row: PlayRow
    column: str
    ready: Ready
    scorers: tuple[Scorer, ...]
    experiment: str
    key: str

    @property
    def cell_id(self) -> CellId:
        """Returns its column and row."""
        return self.column, self.row.row_id


@dataclass(frozen=True, slots=True)
class CaseRunner:
    """What runs cells.

    Attributes:
        store: takes the spans.
        runner: runs prompts.
        prompts: has the prompts of columns.
        queries: ask the store.
    """

    store: Store
    runner: PromptRunner
    prompts: Prompts
    queries: OwnQueries

    async def run(self, job: Job, cell: Cell, play: str, viewers: Viewers) -> None:
        """Runs a cell and notes in it what it gave; returns when its case is stored.

        A cell that is stopped midway is no case: nothing of it is stored.

        Raises:
            TraceStoreError: where the case cannot be stored.
        """
        row = job.row
        trace = TraceRows()
        root = trace.begin(
            "case",
            "eval",
            input=row.input,
            expected=row.expected,
            metadata=row.metadata,
            tags=row.tags,
        )
        failed: tuple[str, str] | None = None
        output: Any = None
        try:
            output = await self._output(job, cell, trace, root, viewers)
        except TraceStoreError as error:
            failed = (str(error), type(error).__name__)
        cell.seconds = root.seconds()
        cell.trace_id, cell.span_id = trace.trace_id, root.span_id
        if failed is None:
            cell.note_output(output)
            await self._score(job, cell, output, trace, root)
        else:
            cell.error = failed[0]
        root.end(
            *(failed or ()),
            output=output,
            scores=cell.scores or None,
            attributes={"tracestore.row_id": row.row_id, ATTRIBUTE: cell.summary(play)},
        )
        await self._stored(trace, job)
        cell.state = "done" if failed is None else "failed"

    async def _output(
        self, job: Job, cell: Cell, trace: TraceRows, root: OpenSpan, viewers: Viewers
    ) -> Any:
        row = job.row
        values = values_of(row.input, row.expected, row.metadata)
        loop = asyncio.get_running_loop()
        waiting: list[str] = []
        told_s = loop.time()
        async with aclosing(self.runner.run(job.ready, values, trace, root)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    waiting.append(event.text)
                    if loop.time() - told_s >= DELTA_S:
                        told_s = loop.time()
                        text = "".join(waiting)
                        waiting.clear()
                        place = {"row": row.row_id, "column": job.column}
                        viewers.publish("delta", {**place, "text": text})
                elif isinstance(event, Ran):
                    ended = event.ended
                    cell.usage = ended.usage.counts()
                    cell.cost = ended.cost
                    cell.time_to_first_token = ended.time_to_first_token_s
                    cell.turns = ended.turns
                    cell.missing = list(event.missing)
                    output = event.output
        return output

    async def _score(
        self, job: Job, cell: Cell, output: Any, trace: TraceRows, root: OpenSpan
    ) -> None:
        await asyncio.gather(
            *(self._score_by(each, job.row, cell, output, trace, root) for each in job.scorers)
        )

    async def _score_by(
        self,
        scorer: Scorer,
        row: PlayRow,
        cell: Cell,
        output: Any,
        trace: TraceRows,
        root: OpenSpan,
    ) -> None:
        span = trace.begin(scorer.name, "score", root, attributes=dict(SCORER_MARK))
        try:
            async with asyncio.timeout(SCORER_TIMEOUT_S):
                given = await scorer.score(row.input, output, row.expected, row.metadata)
        except Exception as error:  # noqa: BLE001 - a scorer that fails gives no score, whatever it raises
            late = isinstance(error, TimeoutError) and not str(error)
            text = f"it took longer than {SCORER_TIMEOUT_S:g} s" if late else str(error)
            cell.scorer_errors[scorer.name] = text or type(error).__name__
            span.end(cell.scorer_errors[scorer.name], type(error).__name__)
            return
        scores = {each.name: each.score for each in given}
        reasons = {each.name: each.rationale for each in given if each.rationale}
        cell.scores |= {
            name: value
            for name, value in scores.items()
            if value is not None and math.isfinite(value)
        }
        cell.rationales |= reasons
        said = {key: value for each in given for key, value in each.metadata.items()}
        if scorer.version is not None:
            said["version"] = scorer.version
        span.end(output={"scores": scores, "rationale": reasons or None}, metadata=said or None)

    async def _stored(self, trace: TraceRows, job: Job) -> None:
        """Stores a case; one that is stopped meanwhile is stored all the same, so that nobody sees it half done."""
        work = asyncio.ensure_future(
            asyncio.to_thread(self.store.insert, "spans", trace.rows, job.project, job.experiment)
        )
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await work
