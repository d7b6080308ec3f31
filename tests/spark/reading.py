"""What Spark read of files for a query, by its own metrics: those of its tasks, and those of each scan of its plan."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import DataFrame, Row

_GROUPS: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of a plan that ran.

    Attributes:
        columns: of the files that it reads, by their names there.
        files: that it opened.
        file_bytes: their sizes.
        rows: that it gave.
    """

    columns: tuple[str, ...]
    files: int
    file_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a query read.

    Attributes:
        bytes: read of files by all tasks.
        rows: read by all tasks.
        scans: of the plan.
    """

    bytes: int
    rows: int
    scans: tuple[Scan, ...]

    @property
    def columns(self) -> set[str]:
        """Returns the columns that any scan reads."""
        return {name for scan in self.scans for name in scan.columns}


def collected(frame: DataFrame) -> tuple[list[Row], Reading]:
    """Returns the rows of a frame, and what was read for them."""
    context: Any = frame.sparkSession.sparkContext
    group = f"reading {next(_GROUPS)}"
    context.setJobGroup(group, group)
    try:
        rows = frame.collect()
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)
    plan: Any = frame
    scans = tuple(_scans(plan._jdf.queryExecution().executedPlan()))
    stages = list(_stages(context, group))
    read_bytes = sum(stage.inputBytes() for stage in stages)
    return rows, Reading(read_bytes, sum(stage.inputRecords() for stage in stages), scans)


def _stages(context: Any, group: str) -> Iterator[Any]:
    """Yields what Spark's own store of metrics has of each stage of a group of jobs."""
    java = context._jsc.sc()
    java.listenerBus().waitUntilEmpty()
    tracker = context.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
    for stage in {stage for job in jobs if job is not None for stage in job.stageIds}:
        yield java.statusStore().lastStageAttempt(stage)


def _scans(node: Any) -> Iterator[Scan]:
    """Yields the scans of files in a plan, also in those of its stages and of its subqueries."""
    kind = node.getClass().getSimpleName()
    if kind == "FileSourceScanExec":
        metrics = node.metrics()
        files, file_bytes, rows = (
            metrics.apply(name).value() for name in ("numFiles", "filesSize", "numOutputRows")
        )
        yield Scan(tuple(node.requiredSchema().fieldNames()), files, file_bytes, rows)
    for inner in _inner(node, kind):
        yield from _scans(inner)


def _inner(node: Any, kind: str) -> Sequence[Any]:
    if kind == "AdaptiveSparkPlanExec":
        return [node.executedPlan()]
    if kind.endswith("QueryStageExec"):
        return [node.plan()]
    if kind == "ReusedExchangeExec":
        # What it stands for is elsewhere in the plan, and ran once.
        return []
    return [*_listed(node.children()), *_listed(node.subqueries())]


def _listed(sequence: Any) -> Iterator[Any]:
    return (sequence.apply(at) for at in range(sequence.length()))
