"""Datasets under many writers and readers: every history is one that a single thread could have had.

Each act of a thread is noted with the moments at which it began and ended and with what it answered. A history is right
if there is one order of its acts that keeps to these moments and in which a dict gives the same answers.

TRACESTORE_HISTORIES=1000 draws that many; the default is quick enough for every run.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import tracestore
from data import processes
from tracestore import Store
from tracestore.errors import UnknownDatasetError
from tracestore_query import UnknownNameError

HISTORIES = int(os.environ.get("TRACESTORE_HISTORIES", "20"))
THREADS = 8
ACTS = 3
SEED = 11
IDS = ("a", "b", "c")
KINDS = ("add", "add", "update", "update", "delete", "read", "read", "copy", "snapshot")
MISSING = "missing"


@dataclass(frozen=True)
class Act:
    """One call of one thread."""

    kind: str
    row_id: str
    value: int


@dataclass(frozen=True)
class Answered:
    """An act with the moments [began, ended] and its answer."""

    act: Act
    began: int
    ended: int
    answer: Any


@dataclass(frozen=True)
class Model:
    """A dataset as a sorted tuple of rows `(id, input, tags)`; version 0 where nothing was written."""

    exists: bool = False
    version: int = 0
    revisions: int = 0
    rows: tuple[tuple[str, int, int | None], ...] = ()

    def next(self, act: Act) -> tuple[Model, Any]:
        """Returns the dataset after an act, and the answer."""
        rows = {row[0]: row for row in self.rows}
        if act.kind == "add":
            return self._written({**rows, act.row_id: (act.row_id, act.value, None)})
        if act.kind == "copy" and self.exists:
            return self._written({key: (key, row[1] + 1, row[2]) for key, row in rows.items()})
        if act.kind == "drop":
            return (Model(), self.revisions) if self.exists else (self, MISSING)
        if not self.exists:
            return self, MISSING
        if act.kind == "read":
            return self, self.rows
        if act.kind == "snapshot":
            return self, self.version
        if act.row_id not in rows:
            return self, MISSING
        if act.kind == "update":
            row = rows[act.row_id]
            return self._written({**rows, act.row_id: (row[0], row[1], act.value)})
        return self._written({key: row for key, row in rows.items() if key != act.row_id})

    def _written(self, rows: dict[str, tuple[str, int, int | None]]) -> tuple[Model, Any]:
        after = tuple(sorted(rows.values()))
        changed = len(set(self.rows) - set(after) | set(after) - set(self.rows))
        revisions = len({row[0] for row in set(self.rows) ^ set(after)})
        version = self.version + (changed > 0)
        model = Model(True, version, self.revisions + revisions, after)
        return model, (version, len(after))


def is_linear(history: list[Answered]) -> bool:
    """Returns whether some order of the acts gives their answers (the search of Wing and Gong, with states seen)."""
    seen: set[tuple[frozenset[int], Model]] = set()
    stack: list[tuple[frozenset[int], Model]] = [(frozenset(range(len(history))), Model())]
    while stack:
        left, model = stack.pop()
        if not left:
            return True
        if (left, model) in seen:
            continue
        seen.add((left, model))
        first_end = min(history[at].ended for at in left)
        for at in left:
            if history[at].began > first_end:
                continue
            after, answer = model.next(history[at].act)
            if answer == history[at].answer:
                stack.append((left - {at}, after))
    return False


@dataclass
class Recorder:
    """The acts of some threads on one dataset, as they happen."""

    store: Store
    name: str
    moments: Iterator[int] = field(default_factory=itertools.count)
    history: list[Answered] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def run(self, acts: list[list[Act]]) -> list[Answered]:
        """Returns the history of threads that do these acts at the same time."""
        barrier = threading.Barrier(len(acts), timeout=processes.HANG_S)
        threads = [threading.Thread(target=self._do_all, args=(mine, barrier)) for mine in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.failures == []
        return self.history

    def _do_all(self, acts: list[Act], barrier: threading.Barrier) -> None:
        try:
            barrier.wait()
            for act in acts:
                began = next(self.moments)
                answer = self._do(act)
                self.history.append(Answered(act, began, next(self.moments), answer))
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            self.failures.append(error)

    def _do(self, act: Act) -> Any:
        datasets, name = self.store.datasets, self.name
        try:
            if act.kind == "add":
                report = datasets.add(name, [{"id": act.row_id, "input": act.value}])
            elif act.kind == "copy":
                copied = f"SELECT id, input + 1 AS input, tags FROM dataset('{name}')"
                report = datasets.add(name, sql=copied)
            elif act.kind == "update":
                report = datasets.update(name, [{"id": act.row_id, "tags": [str(act.value)]}])
            elif act.kind == "delete":
                report = datasets.delete(name, [act.row_id])
            elif act.kind == "drop":
                return datasets.drop(name)
            elif act.kind == "snapshot":
                return datasets.snapshot(name, f"s{next(self.moments)}")
            else:
                return tuple(
                    (row["id"], row["input"], int(row["tags"][0]) if row["tags"] else None)
                    for row in sorted(datasets.rows(name), key=lambda row: str(row["id"]))
                )
        except (UnknownDatasetError, UnknownNameError):
            return MISSING
        return report.version, report.rows


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with tracestore.open(tmp_path_factory.mktemp("histories") / "store") as opened:
        yield opened


def drawn(draw: random.Random, threads: int, kinds: tuple[str, ...]) -> list[list[Act]]:
    return [
        [Act(draw.choice(kinds), draw.choice(IDS), draw.randrange(1000)) for _ in range(ACTS)]
        for _ in range(threads)
    ]


def test_every_history_is_one_of_a_single_thread(store: Store) -> None:
    draw = random.Random(SEED)
    for number in range(HISTORIES):
        acts = drawn(draw, THREADS, KINDS)
        # The dataset is there when they begin, so that most acts find something.
        acts[0].insert(0, Act("add", "a", 0))
        history = Recorder(store, f"d{number}").run(acts)
        assert is_linear(history), sorted(history, key=lambda item: item.began)


def test_so_is_one_in_which_the_dataset_is_dropped(store: Store) -> None:
    draw = random.Random(SEED)
    for number in range(max(2, HISTORIES // 20)):
        acts = drawn(draw, 3, KINDS)
        acts[0].insert(1, Act("drop", "", 0))
        history = Recorder(store, f"gone{number}").run(acts)
        assert is_linear(history), sorted(history, key=lambda item: item.began)


def test_the_check_sees_a_lost_update() -> None:
    lost = [
        Answered(Act("add", "a", 1), 0, 1, (1, 1)),
        Answered(Act("add", "a", 2), 2, 3, (2, 1)),
        Answered(Act("read", "", 0), 4, 5, (("a", 1, None),)),
    ]
    assert not is_linear(lost)
    assert is_linear([*lost[:2], Answered(Act("read", "", 0), 4, 5, (("a", 2, None),))])
