"""The experiments of plays: one for each column of a run, kept when somebody names it, else deleted after some days."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tracestore.embedded import Store
from tracestore.errors import PlayError
from tracestore.evals import bases
from tracestore.play.own_queries import OwnQueries
from tracestore.store import Experiment

MARK: Final = bases.PLAY
"""The key of an experiment's metadata under which stands what it is of."""

TRACES_AT_ONCE: Final = 100
"""Traces whose spans are read to give them another name: a thousand spans with their payloads in memory."""

MAX_SPANS: Final = 20_000
"""Spans of so many traces."""

MAX_TRACES: Final = 100_000

_DAY_NS: Final = 24 * 3600 * 1_000_000_000

_TRACES: Final = "SELECT DISTINCT trace_id FROM spans WHERE experiment = $name ORDER BY trace_id"

_COLUMNS: Final = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "type", "service", "start_ns", "duration_ns",
    "status_code", "status_message", "attributes", "input", "output", "expected", "scores", "metrics",
    "metadata", "tags", "error",
)  # fmt: skip
"""What spans of a play have."""

_SPANS: Final = f"""
    SELECT {", ".join(_COLUMNS)} FROM spans
    WHERE experiment = $name AND list_contains($traces, trace_id)"""  # noqa: S608 - names of our own


class PlayExperiments:
    """The experiments of a store's plays.

    Args:
        store: has their records, and takes their spans.
        queries: ask the store.
        keep_days: days after which one that nobody keeps is deleted.
    """

    def __init__(self, store: Store, queries: OwnQueries, keep_days: float) -> None:
        self._store = store
        self._queries = queries
        self._clock = store.settings.clock
        self._keep_ns = int(keep_days * _DAY_NS)

    def begin(
        self,
        name: str,
        project: str,
        said: Mapping[str, Any],
        dataset: str | None,
        dataset_version: int | None,
    ) -> str:
        """Records an experiment that begins, under a free name like the given one; returns that name."""
        mark = {**said, "kept": False, "expires_ns": self._clock.now_ns() + self._keep_ns}
        record = self._store.experiments.create(
            name,
            project=project,
            metadata=bases.with_state({MARK: mark}, bases.RUNNING),
            dataset=dataset,
            dataset_version=dataset_version,
            unique=True,
        )
        return record.name

    def end(self, name: str, project: str, *, stopped: bool) -> None:
        """Notes that an experiment is done, or was stopped."""
        record = self._store.experiments.get(name, project)
        if record is not None:
            own = {key: value for key, value in record.metadata.items() if key != bases.STATE}
            state = bases.INTERRUPTED if stopped else bases.DONE
            metadata = bases.with_state(own, state)
            self._store.experiments.create(name, project=project, metadata=metadata)

    def go_on(self, name: str, project: str) -> bool:
        """Notes that an experiment goes on; returns whether it is still there."""
        record = self._store.experiments.get(name, project)
        if record is None or MARK not in record.metadata:
            return False
        metadata = bases.with_state(record.metadata, bases.RUNNING)
        self._store.experiments.create(name, project=project, metadata=metadata)
        return True

    async def keep(self, name: str, wanted: str, project: str) -> str:
        """Keeps an experiment under a name of one's own; returns that name.

        The spans get it as later versions of themselves. What a crash leaves half done is done when it is asked for
        again.

        Raises:
            PlayError: where there is no such experiment, or the name is another's.
        """
        record = await asyncio.to_thread(self._store.experiments.get, name, project)
        if record is None or MARK not in record.metadata:
            raise PlayError(f"cannot keep experiment {name!r}: it is none of a play, or gone")
        mark = {key: value for key, value in record.metadata[MARK].items() if key != "expires_ns"}
        metadata = {**record.metadata, MARK: {**mark, "kept": True}}
        if wanted == name:
            await asyncio.to_thread(self._record, name, project, metadata, record)
            return name
        known = await asyncio.to_thread(self._store.experiments.get, wanted, project)
        came_from = (known.metadata.get(MARK) or {}).get("named_from") if known else name
        if came_from != name:
            raise PlayError(
                f"cannot name experiment {wanted!r}: there is one of that name; choose another"
            )
        # 1. crash here: nothing has changed.
        metadata[MARK]["named_from"] = name
        await asyncio.to_thread(self._record, wanted, project, metadata, record)
        # 2. crash here: a part of the spans has the new name; asked again, the others get it too.
        await self._rename(name, wanted, project)
        # 3. crash here: the old record has no span; it expires.
        await asyncio.to_thread(self._store.experiments.remove, name, project)
        return wanted

    def expire(self) -> list[tuple[str, str]]:
        """Deletes experiments whose time is over; returns the project and name of each."""
        now_ns = self._clock.now_ns()
        gone = []
        for record in self._store.experiments.list():
            mark = record.metadata.get(MARK)
            if not isinstance(mark, Mapping) or mark.get("kept") is not False:
                continue
            if mark.get("expires_ns", now_ns) > now_ns:
                continue
            self._store.delete(
                project=record.project, where=[("experiment", "=", record.name)], tables=["spans"]
            )
            # The spans first: a record without them is found again, spans without it are not.
            self._store.experiments.remove(record.name, record.project)
            gone.append((record.project, record.name))
        return gone

    def _record(self, name: str, project: str, metadata: Mapping[str, Any], of: Experiment) -> None:
        self._store.experiments.create(
            name,
            project=project,
            metadata=metadata,
            dataset=of.dataset,
            dataset_version=of.dataset_version,
            base=of.base,
            git_commit=of.git_commit,
        )

    async def _rename(self, name: str, wanted: str, project: str) -> None:
        found = await self._queries.rows(_TRACES, {"name": name}, project, MAX_TRACES)
        traces = [row["trace_id"] for row in found]
        for start in range(0, len(traces), TRACES_AT_ONCE):
            some = traces[start : start + TRACES_AT_ONCE]
            params = {"name": name, "traces": some}
            rows = await self._queries.rows(_SPANS, params, project, MAX_SPANS)
            await asyncio.to_thread(self._insert, rows, project, wanted)

    def _insert(self, rows: Sequence[Mapping[str, Any]], project: str, experiment: str) -> None:
        told = [{name: value for name, value in row.items() if value is not None} for row in rows]
        if told:
            self._store.insert("spans", told, project, experiment)
