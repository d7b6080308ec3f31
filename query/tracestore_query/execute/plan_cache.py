"""Plans of repeated queries: a plan is used again while segments and patches are the same and no row is in memory.

With a plan go statements that the engine has bound for it, each for one query at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tracestore.bounded_cache import BoundedCache
from tracestore.store import NO_PATCHES, PatchView, SegmentRow, Snapshot
from tracestore_query.execute.execution import Statement
from tracestore_query.execute.planned_query import PlannedQuery
from tracestore_query.language.parameters import Parameters, values_again

MAX_PLANS: Final = 256
"""Plans that are kept: a few dashboards' worth, up to about 200 KiB each; many rows looked up in tails, which
all texts about a path share, are 1.5 MB more."""

MAX_GROUPS_BYTES: Final = 256 * 1024
"""Bytes of kept groups that a plan may hold: those of more are looked up again."""

MAX_STATEMENTS: Final = 2
"""Statements that are kept of a plan: as many as clients that ask the same at the same time on a small machine."""

_PLAIN = (str, bytes, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class PlanKey:
    """The name of a query in the cache.

    Attributes:
        plan: the text, the types of the parameters, and the projects.
        values: the parameters' values as text.
    """

    plan: Hashable
    values: tuple[str, ...]

    @classmethod
    def of(
        cls, sql: str, parameters: Parameters, projects: Collection[str] | None
    ) -> PlanKey | None:
        """Returns the key of a query, None where a parameter is no plain value."""
        items = list(
            parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters or ())
        )
        if not all(isinstance(value, _PLAIN) for _, value in items):
            return None
        types = tuple((name, type(value)) for name, value in items)
        values = tuple(repr(value) for _, value in items)
        return cls((sql, types, None if projects is None else frozenset(projects)), values)


@dataclass(slots=True)
class CachedPlan:
    """A planned query, and the state of the store that it was planned for.

    Attributes:
        planned: the query.
        values: the values in its key.
        version: version of the catalog.
        segments: segments of each table that the query's snapshot shows.
        patches: patches of each table.
        statements: statements of the engine that no query uses now.
        dropped: whether the cache has dropped it, so that nothing closes statements that come later.
    """

    planned: PlannedQuery
    values: tuple[str, ...]
    version: int
    segments: Mapping[str, tuple[SegmentRow, ...]]
    patches: Mapping[str, PatchView]
    statements: deque[Statement] = field(default_factory=deque)
    dropped: bool = False

    def is_of(self, snapshot: Snapshot) -> bool:
        """Returns whether a snapshot of the same tables and time range shows the same state."""
        return self.version == snapshot.version and all(
            not view.has_memory_rows
            and view.patches.is_same(self.patches.get(table, NO_PATCHES))
            and _are_same(view.segment_rows, self.segments.get(table, ()))
            for table, view in snapshot.tables.items()
        )


class PlanCache:
    """The plans asked for last. Thread-safe."""

    def __init__(self) -> None:
        self._plans: BoundedCache[Hashable, CachedPlan] = BoundedCache(
            MAX_PLANS, on_drop=self._drop
        )
        # Of the statements of all plans, and of what the cache has dropped.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._plans)

    def find(
        self, key: PlanKey, parameters: Parameters
    ) -> tuple[PlannedQuery, tuple[str, ...]] | None:
        """Returns a query that may be planned still, with these values, and the tables of its snapshot."""
        cached = self._plans.get(key.plan)
        if cached is None:
            return None
        planned = cached.planned
        if cached.values != key.values:
            if not planned.parameter_independent and not planned.trace_dependent:
                return None
            planned = replace(planned, values=values_again(planned.values, parameters))
        return planned, tuple(cached.segments)

    def is_current(self, key: PlanKey, snapshot: Snapshot) -> bool:
        """Returns whether the plan holds for a snapshot, which is taken of its tables and its time range."""
        cached = self._plans.get(key.plan)
        return cached is not None and cached.is_of(snapshot)

    def has_values(self, key: PlanKey) -> bool:
        """Returns whether the plan was made for these values of its parameters."""
        cached = self._plans.get(key.plan)
        return cached is not None and cached.values == key.values

    def keep(self, key: PlanKey, planned: PlannedQuery, snapshot: Snapshot) -> None:
        """Keeps a plan made for a snapshot, if it may be used again at all."""
        views = snapshot.tables.items()
        if not _is_repeatable(planned) or any(view.has_memory_rows for _, view in views):
            return
        segments = {table: view.segment_rows for table, view in views}
        patches = {table: view.patches for table, view in views}
        cached = CachedPlan(planned, key.values, snapshot.version, segments, patches)
        self._plans.put(key.plan, cached)

    def take_statement(self, key: PlanKey, planned: PlannedQuery) -> Statement | None:
        """Returns a statement of a plan and its values for the caller alone, None where there is none."""
        cached = self._plans.get(key.plan)
        if cached is None or cached.planned.plan is not planned.plan:
            return None
        with self._lock:
            for statement in cached.statements:
                if statement.values == planned.values:
                    cached.statements.remove(statement)
                    return statement
        return None

    def keep_statement(self, key: PlanKey, planned: PlannedQuery, statement: Statement) -> bool:
        """Caches a bound statement with its plan. Returns False if the plan was dropped meanwhile."""
        cached = self._plans.get(key.plan)
        if cached is None or cached.planned.plan is not planned.plan:
            return False
        oldest: Statement | None = None
        with self._lock:
            if cached.dropped:
                return False
            if len(cached.statements) >= MAX_STATEMENTS:
                oldest = cached.statements.popleft()
            cached.statements.append(statement)
        if oldest is not None:
            oldest.cursor.close()
        return True

    def close(self) -> None:
        """Drops every plan."""
        self._plans.clear()

    def _drop(self, cached: CachedPlan) -> None:
        """Closes the statements of a plan that is dropped."""
        with self._lock:
            cached.dropped = True
            statements = list(cached.statements)
            cached.statements.clear()
        for statement in statements:
            statement.cursor.close()


def _is_repeatable(planned: PlannedQuery) -> bool:
    """Returns whether a plan reads nothing that changes without the segments, and owns no function of a cursor."""
    query = planned.plan.query
    reads_catalog = bool(query.tables) or any(
        scan_plan.newest is not None for scan_plan in planned.plan.scans.values()
    )
    # Groups that are asked for again get a file: so the plan is made once more.
    groups_bytes = sum(table.nbytes for table in planned.plan.kept.values())
    is_settled = groups_bytes <= MAX_GROUPS_BYTES and not planned.plan.keeps_more
    return planned.time_independent and is_settled and not query.objects and not reads_catalog


def _are_same(rows: tuple[SegmentRow, ...], before: tuple[SegmentRow, ...]) -> bool:
    return len(rows) == len(before) and all(
        row is old or row.segment_id == old.segment_id
        for row, old in zip(rows, before, strict=True)
    )
