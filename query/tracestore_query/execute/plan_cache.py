"""Queries asked again: their plan is kept, and used while segments and patches are the same and no row is in memory.

With a plan go statements that the engine has bound for it, each for one query at a time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pyarrow as pa

from tracestore.store import NO_PATCHES, PatchView, SegmentRow, Snapshot
from tracestore_query.execute.execution import Statement
from tracestore_query.language.parameters import Parameters, values_again
from tracestore_query.plan.plan import Plan

MAX_PREPARED: Final = 256
"""Plans that are kept: a few dashboards' worth, up to about 200 KiB each with the rows found in tails."""

MAX_STATEMENTS: Final = 2
"""Statements that are kept of a plan: as many as clients that ask the same at the same time on a small machine."""

_PLAIN = (str, bytes, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Key:
    """Names a query: `plan` by its text, its parameters' types and the projects, `given` by their values."""

    plan: Hashable
    given: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Is a query ready to run.

    Attributes:
        text: the engine's.
        tables: what the text names, for the cursor that runs it.
        values: of its parameters.
        covering: nanoseconds [start, stop) outside of which it reads nothing.
        lasting: whether it means the same at any time.
        any_values: whether the plan is the same for all values of the parameters' types.
    """

    plan: Plan
    text: str
    tables: Mapping[str, pa.Table]
    values: dict[str, Any]
    covering: tuple[int, int]
    lasting: bool
    any_values: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    prepared: Prepared
    given: tuple[str, ...]
    version: int
    segments: Mapping[str, tuple[SegmentRow, ...]]
    patches: Mapping[str, PatchView]
    statements: deque[Statement] = field(default_factory=deque)

    def let_go(self) -> None:
        while self.statements:
            self.statements.pop().cursor.close()


class PreparedQueries:
    """Keeps the plans asked for last. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def find(self, key: Key, params: Parameters) -> tuple[Prepared, tuple[str, ...]] | None:
        """Returns a plan that may still hold, with these values, and the tables whose snapshot tells."""
        with self._lock:
            kept = self._kept.get(key.plan)
            if kept is None:
                return None
            self._kept.move_to_end(key.plan)
        ready = kept.prepared
        if kept.given != key.given:
            if not ready.any_values:
                return None
            ready = replace(ready, values=values_again(ready.values, params))
        return ready, tuple(kept.segments)

    def holds(self, key: Key, snapshot: Snapshot) -> bool:
        """Tells whether a plan is that of a snapshot, which is taken of its tables and its time range."""
        with self._lock:
            kept = self._kept.get(key.plan)
        if kept is None or kept.version != snapshot.version:
            return False
        for table, view in snapshot.tables.items():
            rows = view.segment_rows
            before = kept.segments.get(table, ())
            if view.has_memory_rows or len(rows) != len(before):
                return False
            if not view.patches.is_same(kept.patches.get(table, NO_PATCHES)):
                return False
            if any(row is not old for row, old in zip(rows, before, strict=True)):
                return False
        return True

    def keep(self, key: Key, prepared: Prepared, snapshot: Snapshot) -> None:
        """Keeps a plan made for a snapshot, if it may be used again at all."""
        plan = prepared.plan
        # Functions have one owner, the catalog changes without the segments, and memory is not ours to keep.
        if not prepared.lasting or plan.objects or plan.tables:
            return
        if any(view.has_memory_rows for view in snapshot.tables.values()):
            return
        segments = {table: view.segment_rows for table, view in snapshot.tables.items()}
        patches = {table: view.patches for table, view in snapshot.tables.items()}
        gone = []
        with self._lock:
            if key.plan in self._kept:
                gone.append(self._kept.pop(key.plan))
            self._kept[key.plan] = _Kept(prepared, key.given, snapshot.version, segments, patches)
            while len(self._kept) > MAX_PREPARED:
                gone.append(self._kept.popitem(last=False)[1])
        for kept in gone:
            kept.let_go()

    def take_statement(self, key: Key, prepared: Prepared) -> Statement | None:
        """Returns a statement of a plan and its values, to be the caller's alone, None where there is none."""
        with self._lock:
            kept = self._kept.get(key.plan)
            if kept is None or kept.prepared.plan is not prepared.plan:
                return None
            for statement in kept.statements:
                if statement.values == prepared.values:
                    kept.statements.remove(statement)
                    return statement
        return None

    def keep_statement(self, key: Key, prepared: Prepared, statement: Statement) -> bool:
        """Keeps a statement of a plan for later; tells whether it did, which it does not of a plan that is gone."""
        oldest: Statement | None = None
        with self._lock:
            kept = self._kept.get(key.plan)
            if kept is None or kept.prepared.plan is not prepared.plan:
                return False
            if len(kept.statements) >= MAX_STATEMENTS:
                oldest = kept.statements.popleft()
            kept.statements.append(statement)
        if oldest is not None:
            oldest.cursor.close()
        return True

    def close(self) -> None:
        """Forgets everything."""
        with self._lock:
            gone = list(self._kept.values())
            self._kept.clear()
        for kept in gone:
            kept.let_go()


def key_of(text: str, params: Parameters, projects: Collection[str] | None) -> Key | None:
    """Returns what a plan depends on but the store, None where a parameter is no plain value."""
    items = list(params.items() if isinstance(params, Mapping) else enumerate(params or ()))
    if not all(isinstance(value, _PLAIN) for _, value in items):
        return None
    kinds = tuple((name, type(value)) for name, value in items)
    given = tuple(repr(value) for _, value in items)
    return Key((text, kinds, None if projects is None else frozenset(projects)), given)
