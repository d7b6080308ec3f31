"""The store against a list of dicts: any order of writing, flushing, merging, deleting, expiring, reopening."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from data.stores import DAY_NS, EVERY_WORD, START_NS
from store.kit import FakeClock, flat_rows, open_store, tables_of
from tracestore.store import Snapshot

PROJECTS = st.sampled_from(["a", "b"])
NUMBERS = st.lists(st.integers(0, 60), min_size=1, max_size=12)
VALUES = st.sampled_from([1, "x", 2.5, True, [1, 2], {"y": 1}, None, [{"z": 1}, 2]])

Key = tuple[str, str, str]


def make_row(number: int, project: str, value: Any) -> dict[str, Any]:
    """Returns a span; its day follows from its number, its content from number and value."""
    return {
        "project": project,
        "trace_id": f"{number // 3 + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "start_ns": START_NS - (number % 4) * DAY_NS + number,
        "duration_ns": number,
        "name": f"n{number % 5}",
        "input": value,
        "metadata": {f"rare{number}": number},
    }


class StoreMachine(RuleBasedStateMachine):
    """A store and the rows it should have, by project, trace and span."""

    snapshots = Bundle("snapshots")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tracestore-machine-"))
        self.clock = FakeClock()
        self.rows: dict[Key, str] = {}
        self.retention: dict[str, int | None] = {}
        self.expired: set[tuple[str, str]] = set()
        self.open()

    def open(self) -> None:
        self.store = open_store(
            self.folder,
            clock=self.clock,
            flush_rows=40,
            compaction_unit_rows=50,
            compaction_min_inputs=2,
            **EVERY_WORD,
        )
        self.open_snapshots: list[Snapshot] = []
        self.versions: set[tuple[Key, str]] = set()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- rules ---

    @rule(numbers=NUMBERS, project=PROJECTS, value=VALUES)
    def insert(self, numbers: list[int], project: str, value: Any) -> None:
        rows = [make_row(number, project, value) for number in numbers]
        rows = [row for row in rows if (project, row["span_id"]) not in self.expired]
        # Whether a version counts as sent again depends on what is still remembered: not tested.
        rows = [row for row in rows if not self.came_before(key_of(project, row), repr(value))]
        report = self.store.insert("spans", rows)
        new = replaced = 0
        for row in rows:
            key = key_of(project, row)
            if self.rows.get(key) != repr(value):
                replaced += key in self.rows
                self.rows[key] = repr(value)
                self.versions.add((key, repr(value)))
                new += 1
        counts = (report.rows, report.replaced, report.duplicates)
        assert counts == (new, replaced, len(rows) - new)

    def came_before(self, key: Key, value: str) -> bool:
        return (key, value) in self.versions and self.rows.get(key) != value

    @rule()
    def flush(self) -> None:
        self.store.flush()

    @rule(full=st.booleans())
    def compact(self, full: bool) -> None:
        self.store.compact(full=full)

    @rule(number=st.integers(0, 60))
    def delete_trace(self, number: int) -> None:
        trace_id = f"{number // 3 + 1:032x}"
        gone = [key for key in self.rows if key[1] == trace_id]
        assert self.store.delete(trace_id=trace_id).rows == len(gone)
        for key in gone:
            del self.rows[key]

    @rule(project=PROJECTS)
    def delete_project(self, project: str) -> None:
        gone = [key for key in self.rows if key[0] == project]
        assert self.store.delete(project=project).rows == len(gone)
        self.retention.pop(project, None)
        for key in gone:
            del self.rows[key]

    @rule(low=st.integers(0, 60), project=PROJECTS)
    def delete_where(self, low: int, project: str) -> None:
        where = [("duration_ns", ">=", low), ("name", "in", ["n1", "n2"])]
        numbers = {key: int(key[2], 16) - 1 for key in self.rows if key[0] == project}
        gone = [key for key, number in numbers.items() if number >= low and number % 5 in (1, 2)]
        assert self.store.delete(project=project, where=where).rows == len(gone)
        for key in gone:
            del self.rows[key]

    @rule(project=PROJECTS, days=st.sampled_from([None, 1, 2, 30]))
    def expire(self, project: str, days: int | None) -> None:
        self.store.flush()
        self.store.set_retention(project, days)
        self.retention[project] = days
        self.store.expire()
        today = self.clock.now_ns() // DAY_NS
        for key in list(self.rows):
            number = int(key[2], 16) - 1
            day = (START_NS - (number % 4) * DAY_NS + number) // DAY_NS
            kept = self.retention.get(key[0])
            if kept is not None and day < today - kept:
                del self.rows[key]
                # Whether it counts as sent again depends on what is still remembered: not tested.
                self.expired.add((key[0], key[2]))

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()

    @rule(target=snapshots)
    def take_snapshot(self) -> tuple[Snapshot, dict[Key, str]]:
        return self.store.snapshot(), dict(self.rows)

    @rule(taken=consumes(snapshots))
    def read_old_snapshot(self, taken: tuple[Snapshot, dict[Key, str]]) -> None:
        snapshot, rows = taken
        if self.store._core is snapshot_core(snapshot):
            assert found(snapshot) == rows
        snapshot.close()

    @invariant()
    def everything_is_there_once(self) -> None:
        with self.store.snapshot() as snapshot:
            assert found(snapshot) == self.rows


def key_of(project: str, row: dict[str, Any]) -> Key:
    return (project, row["trace_id"], row["span_id"])


def snapshot_core(snapshot: Snapshot) -> object:
    return snapshot.tables["spans"]._core


def found(snapshot: Snapshot) -> dict[Key, str]:
    rows: dict[Key, str] = {}
    for part in tables_of(snapshot, "spans"):
        for row in flat_rows(part, "spans"):
            key = (row["project"], row["trace_id"], row["span_id"])
            assert key not in rows, "a row is there twice"
            number = int(row["span_id"], 16) - 1
            assert row[f"metadata.rare{number}:i64"] == number
            rows[key] = repr(value_of(row))
    return rows


def value_of(row: dict[str, Any]) -> Any:
    """Returns what was given as `input`, from its leaves."""
    leaves = {
        name: value
        for name, value in row.items()
        if name.startswith("input") and name != "input_key"
    }
    match leaves:
        case {"input.y:i64": value}:
            return {"y": value}
        case {"input:json[]": _}:
            return [{"z": 1}, 2]
        case {"input:json": _}:
            return None
        case {}:
            pass
    (value,) = leaves.values()
    return value


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
