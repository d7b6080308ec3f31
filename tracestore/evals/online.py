"""Scores of production spans: scorers run on a share of the spans that a query gives, and patch what they say.

Which spans are in the share follows from their ids alone, so that every pass and every process takes the same ones.
A span that has the scores already is left alone. So a pass may be made again at any time, and after any stop.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tracestore.bounded_cache import BoundedCache
from tracestore.evals.calling import called, said
from tracestore.evals.cases import EvalError, scores_of
from tracestore.evals.named import resolved
from tracestore.scorers import Scorer, arguments_of, name_of

DEFAULT_SQL: Final = (
    "SELECT project, trace_id, span_id, input, output, expected, metadata FROM spans "
    "WHERE is_root AND experiment IS NULL AND start_time >= now() - INTERVAL 1 DAY"
)
"""Whole traces of the last day, but those of experiments."""

BATCH: Final = 100
"""Spans that are scored before their scores are written: what a stop in between may ask for again."""

KNOWN: Final = 200_000
"""Spans that a process remembers, about 300 bytes each: where a scorer has nothing to say, it is asked once."""

_WANTED: Final = ("trace_id", "span_id")
_SHARES: Final = 2**32


@dataclass(frozen=True, slots=True)
class OnlinePlan:
    """The way in which production spans are scored.

    Attributes:
        scorers: as for `Eval`.
        project: whose stored scorers names mean.
        sql: a query of spans with `trace_id`, `span_id` and what the scorers declare.
        sample: the share of the spans that are scored, above 0 and at most 1.
        concurrency: spans that are scored at once.
        timeout_s: seconds that one scorer may take; None for no bound.
        max_spans: spans that scorers are asked about at most, None for no bound.
        max_cost: of what scorers say they cost (`{"metadata": {"cost": …}}`), after which no span is begun.
    """

    scorers: Sequence[Scorer | str]
    sql: str = DEFAULT_SQL
    sample: float = 1.0
    concurrency: int = 4
    timeout_s: float | None = 60.0
    max_spans: int | None = None
    max_cost: float | None = None
    project: str | None = None


@dataclass(slots=True)
class OnlineReport:
    """The state of scoring, over all passes.

    Attributes:
        seen: spans that the query gave.
        asked: spans that scorers were asked about.
        scored: spans that scores were written to.
        failed: calls of scorers that failed.
        cost: what scorers said they cost.
        errors: why scorers failed last, by their names.
        bound: the bound that ended it, None where none did.
    """

    seen: int = 0
    asked: int = 0
    scored: int = 0
    failed: int = 0
    cost: float = 0.0
    errors: dict[str, str] = field(default_factory=dict)
    bound: str | None = None


class OnlineScoring:
    """The scoring of production spans. A pass asks the query once.

    Args:
        target: an open store, or a client.
        plan: what is scored, and how.

    Attributes:
        report: of all passes.

    Raises:
        EvalError: for a share or a number that is none.
        ScorerError: for a scorer that cannot be called.
    """

    def __init__(self, target: Any, plan: OnlinePlan) -> None:
        if not 0 < plan.sample <= 1 or plan.concurrency < 1 or not plan.scorers:
            raise EvalError(
                "cannot score spans: want a scorer, a sample above 0 and at most 1, and a concurrency of 1 or more"
            )
        self._target = target
        self._plan = plan
        scorers = resolved(plan.scorers, target, plan.project)
        self._scorers = [(scorer, name_of(scorer), arguments_of(scorer)) for scorer in scorers]
        self._done: BoundedCache[tuple[str, ...], bool] = BoundedCache(KNOWN)
        self.report = OnlineReport()

    def run_once(self) -> None:
        """Scores the spans of one answer of the query that are in the share and have no scores.

        Raises:
            EvalError: where the query lacks a column.
            QueryError, ClientError: of the query and of the patches.
        """
        for batch in _batches(self._chosen()):
            if self._bound_reached():
                return
            asyncio.run(self._score_all(self._unscored(batch)))

    def _chosen(self) -> Iterator[dict[str, Any]]:
        """Yields the spans of the share that this process has not scored before."""
        for row in self._target.sql(self._plan.sql).rows():
            missing = [name for name in _WANTED if not row.get(name)]
            if missing:
                raise EvalError(
                    f"cannot score spans: the query gives no {missing[0]}; select project, trace_id and span_id"
                )
            self.report.seen += 1
            if is_in_share(row, self._plan.sample) and self._done.get(_id_of(row)) is None:
                yield row

    def _unscored(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Returns the spans that lack a score of some scorer's name."""
        ids = {f"{name}s": [row[name] for row in rows] for name in _WANTED}
        found = self._target.sql(
            "SELECT trace_id, span_id, scores FROM spans "
            "WHERE list_contains($trace_ids, trace_id) AND list_contains($span_ids, span_id)",
            ids,
        ).rows()
        names = {name for _, name, _ in self._scorers}
        has_all = {
            (row["trace_id"], row["span_id"])
            for row in found
            if isinstance(row["scores"], dict) and names <= row["scores"].keys()
        }
        return [row for row in rows if (row["trace_id"], row["span_id"]) not in has_all]

    async def _score_all(self, rows: list[dict[str, Any]]) -> None:
        waiting = iter(rows)
        patches: list[dict[str, Any]] = []

        async def work() -> None:
            while not self._bound_reached() and (row := next(waiting, None)) is not None:
                # Before it is scored, so that spans under way count as well.
                self.report.asked += 1
                scores = await self._scores_of(row)
                self._done.put(_id_of(row), True)
                if scores:
                    patches.append(_patch(row, scores))

        try:
            await asyncio.gather(*(work() for _ in range(self._plan.concurrency)))
        finally:
            # Also where somebody stops it: what was paid for is kept.
            if patches:
                self._target.patch(patches)
                self.report.scored += len(patches)

    async def _scores_of(self, row: Mapping[str, Any]) -> dict[str, float]:
        found: dict[str, float] = {}
        for scorer, name, arguments in self._scorers:
            given = {argument: row.get(argument) for argument in arguments}
            try:
                returned = await called(scorer, self._plan.timeout_s, **given)
                for score_name, score, metadata in scores_of(returned, name):
                    found[score_name] = score
                    self.report.cost += _cost_of(metadata)
            except Exception as error:  # noqa: BLE001 - a scorer that fails gives no score
                self.report.failed += 1
                self.report.errors[name] = said(error)
        return found

    def _bound_reached(self) -> bool:
        plan, report = self._plan, self.report
        if plan.max_spans is not None and report.asked >= plan.max_spans:
            report.bound = f"{plan.max_spans} spans"
        elif plan.max_cost is not None and report.cost >= plan.max_cost:
            report.bound = f"a cost of {plan.max_cost:g}"
        return report.bound is not None


def is_in_share(row: Mapping[str, Any], share: float) -> bool:
    """Tells whether a span is one of those that are scored: a hash of its ids is below the share."""
    digest = hashlib.sha256(f"{row['trace_id']}{row['span_id']}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * _SHARES


def _id_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (str(row.get("project") or ""), row["trace_id"], row["span_id"])


def _patch(row: Mapping[str, Any], scores: Mapping[str, float]) -> dict[str, Any]:
    ids = {name: row[name] for name in ("project", *_WANTED) if row.get(name)}
    return {**ids, "scores": dict(scores)}


def _cost_of(metadata: Any) -> float:
    cost = metadata.get("cost") if isinstance(metadata, Mapping) else None
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        return 0.0
    return max(float(cost), 0.0)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
