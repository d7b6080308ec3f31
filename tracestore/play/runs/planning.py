"""What a run of a play needs: its columns ready to run, its scorers, and an experiment for each column."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tracestore.errors import PlayError
from tracestore.play.prompts.running import Ready
from tracestore.play.runs.body import Column, PlayBody, digest
from tracestore.play.runs.case import CaseRunner
from tracestore.play.runs.experiments import PlayExperiments
from tracestore.play.runs.rows import FoundRows
from tracestore.play.scoring import Scorer, Scorers
from tracestore.store import Document


@dataclass(slots=True)
class ReadyColumn:
    """A column with all that its cells need.

    Attributes:
        key: what tells it from other prompts and scorers.
    """

    column: Column
    ready: Ready
    key: str


class Planner:
    """What finds all that runs of one play need.

    Args:
        project: whose play it is.
        cases: runs cells.
        experiments: has the experiments of columns.
        scorers: the scorers that there are.
    """

    def __init__(
        self,
        project: str,
        cases: CaseRunner,
        experiments: PlayExperiments,
        scorers: Scorers,
    ) -> None:
        self._project = project
        self._cases = cases
        self._experiments = experiments
        self._scorers = scorers

    async def columns(
        self, play: PlayBody, wanted: Collection[str] | None
    ) -> dict[str, ReadyColumn]:
        """Returns columns that are ready to run, None for all of the play; raises PlayError where there is none."""
        columns = play.columns_in_order()
        missing = [each for each in wanted or () if each not in columns]
        if missing or not columns:
            raise PlayError("cannot run: there is no such column; add one, or name another")
        scorer_keys = await self.scorer_keys(play)
        ready = {}
        for column_id, column in columns.items():
            if wanted is not None and column_id not in wanted:
                continue
            name = column.name or (column.prompt.slug if column.prompt else column_id)
            prompt = await asyncio.to_thread(column.effective, self._cases.prompts, self._project)
            said = {} if column.prompt is None else {"prompt": column.prompt.model_dump()}
            ready[column_id] = ReadyColumn(
                column,
                await self._cases.runner.ready(prompt.checked(), self._project, name, said),
                digest([prompt.stored(), scorer_keys]),
            )
        return ready

    async def scorers(self, play: PlayBody) -> tuple[Scorer, ...]:
        """Returns the scorers of a play; raises UnknownToolError."""
        return tuple(
            [
                await asyncio.to_thread(self._scorers.get, name, self._project)
                for name in dict.fromkeys(play.scorers)
            ]
        )

    async def scorer_keys(self, play: PlayBody) -> list[Any]:
        """Returns what tells the scorers of a play from others."""
        return [[each.name, each.version] for each in await self.scorers(play)]

    async def column_key(self, column: Column, scorer_keys: list[Any]) -> str:
        """Returns what tells a column from other prompts and scorers."""
        prompt = await asyncio.to_thread(column.effective, self._cases.prompts, self._project)
        return digest([prompt.stored(), scorer_keys])

    async def experiment(
        self,
        document: Document,
        column_id: str,
        each: ReadyColumn,
        found: FoundRows,
        *,
        goes_on: bool,
    ) -> str:
        """Returns the experiment of a column's run: the one that it has, where it goes on, else a new one."""
        known = each.column.experiment
        if goes_on and known is not None:
            there = await asyncio.to_thread(self._experiments.go_on, known, self._project)
            if there:
                return known
        prompt = each.ready.prompt
        said = {
            "play": document.document_id,
            "column": column_id,
            "provider": prompt.provider,
            "model": prompt.model,
            "parameters": prompt.parameters,
            **({} if each.column.prompt is None else each.column.prompt.model_dump()),
        }
        name = f"{document.name} {each.column.name or column_id}"
        return await asyncio.to_thread(
            self._experiments.begin, name, self._project, said, found.dataset, found.version
        )
