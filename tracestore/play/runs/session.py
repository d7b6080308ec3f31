"""One play while somebody looks at it or it runs: its cells, its run, and who is told."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Final

from tracestore.errors import PlayError, TraceStoreError
from tracestore.play.runs.body import PlayBody, play_of
from tracestore.play.runs.case import CaseRunner, Job
from tracestore.play.runs.cells import Cell, CellId, cells_of, key_of
from tracestore.play.runs.experiments import PlayExperiments
from tracestore.play.runs.planning import Planner, ReadyColumn
from tracestore.play.runs.plays import Plays, document_shown
from tracestore.play.runs.rows import FoundRows, PlayRow, rows_of
from tracestore.play.runs.run import Run, RunRequest
from tracestore.play.runs.viewers import Viewers
from tracestore.play.scoring import Scorer, Scorers
from tracestore.store import Document

END_S: Final = 3.0
"""Seconds in which cells that are just stored may end before streams do."""


class PlaySession:
    """One play, on the server's event loop.

    Args:
        document_id: the play.
        project: whose it is.
        plays: has its document.
        cases: runs cells.
        experiments: has the experiments of columns.
        scorers: the scorers that there are.

    Attributes:
        viewers: who looks.
    """

    def __init__(
        self,
        document_id: str,
        project: str,
        plays: Plays,
        cases: CaseRunner,
        experiments: PlayExperiments,
        scorers: Scorers,
    ) -> None:
        self.document_id = document_id
        self.project = project
        self.viewers = Viewers()
        self._plays = plays
        self._cases = cases
        self._experiments = experiments
        self._planner = Planner(project, cases, experiments, scorers)
        self._cells: dict[CellId, Cell] = {}
        self._read_of: dict[str, str] | None = None
        self._run: Run | None = None
        self._waiting: deque[Job] = deque()
        self._tasks: dict[CellId, asyncio.Task[None]] = {}
        self._concurrency = 1
        self._beginning = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Returns whether nobody looks and nothing runs."""
        return not self.viewers and not self._tasks and not self._beginning.locked()

    def run_shown(self) -> dict[str, Any] | None:
        """Returns the last run since the session began, None where there was none."""
        now_s = asyncio.get_running_loop().time()
        return None if self._run is None else self._run.shown(now_s)

    async def document(self) -> Document:
        """Returns the play's newest version."""
        return await asyncio.to_thread(self._plays.get, self.document_id, self.project)

    async def rows(self, play: PlayBody) -> FoundRows:
        """Returns the play's rows as they are now."""
        return await rows_of(play, self._cases.queries, self.project)

    async def state(self) -> dict[str, Any]:
        """Returns all that a viewer sees: document, cells, run."""
        document = await self.document()
        cells = await self.cells_shown(play_of(document.body))
        return {
            "document": document_shown(document),
            "cells": cells,
            "run": self.run_shown(),
            "sequence": self.viewers.sequence,
        }

    async def cells_shown(self, play: PlayBody) -> list[dict[str, Any]]:
        """Returns the cells that are known, and whether each is of what it is now."""
        await self._read_cells(play, again=True)
        keys: dict[str, str] = {}
        row_keys: dict[str, str] = {}
        try:
            scorer_keys = await self._planner.scorer_keys(play)
            for column_id, column in play.columns.items():
                keys[column_id] = await self._planner.column_key(column, scorer_keys)
            row_keys = {row.row_id: row.key for row in (await self.rows(play)).rows}
        except TraceStoreError:
            # What the play names is not there: its cells are shown all the same.
            pass
        shown = []
        for (column_id, row_id), cell in self._cells.items():
            known = column_id in keys and row_id in row_keys
            key = key_of(keys[column_id], row_keys[row_id]) if known else None
            shown.append(cell.shown(key))
        return shown

    async def begin(self, asked: RunRequest, author: str | None) -> dict[str, Any]:
        """Begins a run, or adds to the one that is under way; returns it.

        Raises:
            TraceStoreError: where something that the play names is not there; nothing runs then.
        """
        async with self._beginning:
            document = await self.document()
            play = play_of(document.body)
            columns = await self._planner.columns(play, asked.columns)
            scorers = await self._planner.scorers(play)
            found = await self.rows(play)
            rows = [row for row in found.rows if asked.rows is None or row.row_id in asked.rows]
            if not rows:
                raise PlayError("cannot run: there are no rows; choose a dataset, or write a row")
            await self._read_cells(play)
            jobs = await self._jobs(asked, document, columns, scorers, found, rows, author)
            self._concurrency = play.concurrency
            self._add(jobs)
            return self.run_shown() or {}

    def stop(self, columns: Collection[str] | None = None) -> dict[str, Any] | None:
        """Ends what runs and waits, of some columns or of all; what is done stays. Returns the run."""
        dropped = [job for job in self._waiting if columns is None or job.column in columns]
        self._waiting = deque(job for job in self._waiting if job not in dropped)
        for job in dropped:
            self._forget(job)
        for (column, _), task in list(self._tasks.items()):
            if columns is None or column in columns:
                task.cancel()
        if self._run is not None and self._run.state == "running":
            named = self._run.experiments if columns is None else columns
            self._run.stopped.update(each for each in named if each in self._run.experiments)
            if not self._tasks:
                self._end_run()
            self._publish_run()
        return self.run_shown()

    async def end(self) -> None:
        """Ends everything, since the server stops; who looks is told of the end of the run."""
        self.stop()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=END_S)
        # The last task told of the end of the run, and began to note it.
        self.viewers.end()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def forget(self, experiments: Collection[str]) -> None:
        """Forgets the cells of experiments that are gone."""
        busy = self._busy()
        for cell_id, cell in list(self._cells.items()):
            if cell.experiment in experiments and cell_id not in busy:
                del self._cells[cell_id]
                self.viewers.publish("cell", {"cell": Cell(*cell_id).shown()})

    async def keep(self, column_id: str, name: str, author: str | None) -> str:
        """Keeps the experiment of a column under a name; returns that name."""
        play = play_of((await self.document()).body)
        column = play.columns.get(column_id)
        if column is None or column.experiment is None:
            raise PlayError("cannot keep a run: this column has none; run it first")
        if any(job_column == column_id for job_column, _ in self._tasks):
            raise PlayError("cannot keep a run: it still runs; wait for its end, or stop it")
        kept = await self._experiments.keep(column.experiment, name, self.project)
        if kept != column.experiment:
            await self._note({column_id: {"experiment": kept, "key": column.key}}, author)
            for cell in self._cells.values():
                if cell.experiment == column.experiment:
                    cell.experiment = kept
                    self.viewers.publish("cell", {"cell": cell.shown()})
        return kept

    # --- what a run needs --------------------------------------------------------------------------

    async def _read_cells(self, play: PlayBody, *, again: bool = False) -> None:
        """Reads the results of columns whose experiment this session has not read or made.

        Args:
            play: names the experiments.
            again: whether the others are read too: people may have scored them since.
        """
        named = {
            column_id: column.experiment
            for column_id, column in play.columns.items()
            if column.experiment is not None
        }
        if self._read_of == named and not again:
            return
        known = {} if again else self._read_of or {}
        fresh = {each: name for each, name in named.items() if known.get(each) != name}
        found = await cells_of(self.document_id, fresh, self._cases.queries, self.project)
        busy = self._busy()
        kept = {
            cell_id: cell
            for cell_id, cell in self._cells.items()
            if cell_id in busy or (cell_id[0] in named and cell_id[0] not in fresh)
        }
        self._cells = {**found, **kept}
        self._read_of = named

    async def _jobs(
        self,
        asked: RunRequest,
        document: Document,
        columns: Mapping[str, ReadyColumn],
        scorers: tuple[Scorer, ...],
        found: FoundRows,
        rows: list[PlayRow],
        author: str | None,
    ) -> list[Job]:
        """Returns the cells to run; their experiments are recorded, and noted in the play."""
        jobs: list[Job] = []
        noted: dict[str, dict[str, str | None]] = {}
        for column_id, each in columns.items():
            wanted = [
                row
                for row in rows
                if asked.what == "all" or self._is_stale(column_id, row, each.key)
            ]
            if not wanted:
                continue
            goes_on = each.column.key == each.key and each.column.experiment is not None
            goes_on = goes_on and (asked.what == "changed" or asked.rows is not None)
            experiment = await self._planner.experiment(
                document, column_id, each, found, goes_on=goes_on
            )
            if experiment != each.column.experiment or each.column.key != each.key:
                noted[column_id] = {"experiment": experiment, "key": each.key}
            jobs += [
                Job(
                    self.project,
                    row,
                    column_id,
                    each.ready,
                    scorers,
                    experiment,
                    key_of(each.key, row.key),
                )
                for row in wanted
            ]
        if noted:
            await self._note(noted, author)
            self._drop_others(noted)
        return jobs

    def _is_stale(self, column_id: str, row: PlayRow, column_key: str) -> bool:
        cell = self._cells.get((column_id, row.row_id))
        if cell is None or cell.state not in {"done", "waiting", "running"}:
            return True
        return cell.key != key_of(column_key, row.key)

    async def _note(
        self, columns: Mapping[str, Mapping[str, str | None]], author: str | None
    ) -> None:
        document = await asyncio.to_thread(
            self._plays.note_runs, self.document_id, columns, self.project, author
        )
        edits = [
            {"path": ["columns", column_id, name], "value": value, "delete": False}
            for column_id, own in columns.items()
            for name, value in own.items()
        ]
        if self._read_of is not None:
            self._read_of |= {
                column_id: own["experiment"]
                for column_id, own in columns.items()
                if own["experiment"] is not None
            }
        self.viewers.publish_edits(document, edits, author, client=None)

    def _drop_others(self, noted: Mapping[str, Mapping[str, str | None]]) -> None:
        """Forgets cells of experiments that are no column's any more; what runs or waits stays what it was."""
        busy = self._busy()
        for cell_id, cell in list(self._cells.items()):
            own = noted.get(cell_id[0])
            if own is not None and cell.experiment != own["experiment"] and cell_id not in busy:
                del self._cells[cell_id]

    def _busy(self) -> set[CellId]:
        """Returns the cells that run or wait."""
        return {*self._tasks, *(job.cell_id for job in self._waiting)}

    # --- the run ---------------------------------------------------------------------------------------

    def _add(self, jobs: list[Job]) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._run is None or self._run.state != "running":
            self._run = Run(started_s=now_s)
        waiting = {job.cell_id: job for job in self._waiting}
        for job in jobs:
            if job.cell_id in self._tasks:
                continue
            known = waiting.get(job.cell_id)
            if known is not None:
                # What waits has not begun: it runs as what it is now.
                self._waiting.remove(known)
                self._run.cells -= 1
            self._run.cells += 1
            self._run.experiments[job.column] = job.experiment
            self._run.columns[job.experiment] = job.column
            self._waiting.append(job)
            cell = Cell(job.column, job.row.row_id, "waiting", job.key, job.experiment)
            self._cells[job.cell_id] = cell
            self.viewers.publish("cell", {"cell": cell.shown(job.key)})
        self._fill()
        if not self._tasks:
            self._end_run()
        self._publish_run()

    def _fill(self) -> None:
        while self._waiting and len(self._tasks) < self._concurrency:
            job = self._waiting.popleft()
            task = asyncio.create_task(self._work(job))
            # Not at the end of the work: a task that is cancelled before its first step never comes there.
            task.add_done_callback(functools.partial(self._done, job))
            self._tasks[job.cell_id] = task
            if self._run is not None:
                self._run.running += 1

    async def _work(self, job: Job) -> None:
        cell = self._cells[job.cell_id]
        cell.state = "running"
        self.viewers.publish("cell", {"cell": cell.shown(job.key)})
        try:
            await self._cases.run(job, cell, self.document_id, self.viewers)
        except asyncio.CancelledError:
            # Its task ends with it: nobody waits for this one but the stop of the server.
            pass
        except TraceStoreError as error:
            # It could not be stored: whoever looks must not take it for done.
            cell.state, cell.error = "failed", str(error)

    def _done(self, job: Job, _task: asyncio.Task[None]) -> None:
        run, cell = self._run, self._cells[job.cell_id]
        self._tasks.pop(job.cell_id, None)
        if cell.state in {"done", "failed"}:
            self.viewers.publish("cell", {"cell": cell.shown(job.key)})
        else:
            self._forget(job)
        if run is not None:
            run.running -= 1
            run.done += cell.state == "done"
            run.failed += cell.state == "failed"
            run.cost += cell.cost or 0.0
        self._fill()
        if not self._tasks:
            self._end_run()
        self._publish_run()

    def _forget(self, job: Job) -> None:
        """Takes back that a cell was to run."""
        self._cells.pop(job.cell_id, None)
        empty = Cell(job.column, job.row.row_id)
        self.viewers.publish("cell", {"cell": empty.shown()})
        if self._run is not None:
            self._run.cells -= 1

    def _end_run(self) -> None:
        run = self._run
        if run is None or run.state != "running":
            return
        run.state = "stopped" if run.stopped else "done"
        run.ended_s = asyncio.get_running_loop().time()
        for name, column in run.columns.items():
            task = asyncio.create_task(self._note_end(name, stopped=column in run.stopped))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _note_end(self, name: str, *, stopped: bool) -> None:
        try:
            await asyncio.to_thread(self._experiments.end, name, self.project, stopped=stopped)
        except TraceStoreError:
            # A run that nobody noted the end of is taken for one that was killed: it is no base of others.
            return

    def _publish_run(self) -> None:
        self.viewers.publish("run", {"run": self.run_shown()})
