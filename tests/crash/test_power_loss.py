"""Power is lost at every sync, rename and removal: acknowledged rows are there once, none is invented."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from crash.faulty import FaultyFs, PowerLossError
from data.stores import EVERY_WORD, span
from store.kit import FakeClock, open_store, otlp_traces, read_rows, span_ids
from tracestore.store import Store


class Journal:
    """The rows that were sent, acknowledged and deleted."""

    def __init__(self) -> None:
        self.sent: set[int] = set()
        self.acknowledged: set[int] = set()
        self.deleting: set[int] = set()
        self.deleted: set[int] = set()

    def send(self, store: Store, first: int, count: int) -> None:
        numbers = range(first, first + count)
        self.sent |= set(numbers)
        store.ingest_otlp(otlp_traces(span(number) for number in numbers), "traces")
        self.acknowledged |= set(numbers)

    def delete_trace_of(self, store: Store, number: int) -> None:
        first = number // 4 * 4
        self.deleting |= set(range(first, first + 4))
        store.delete(trace_id=span(number)["trace_id"])
        self.deleted |= set(range(first, first + 4))

    def check(self, store: Store) -> None:
        found = [int(text, 16) - 1 for text in span_ids(store)]
        assert len(found) == len(set(found)), "a row is there twice"
        assert set(found) <= self.sent, "a row was invented"
        lost = self.acknowledged - self.deleting - set(found)
        assert not lost, f"lost {sorted(lost)}"
        assert not set(found) & self.deleted, "a deleted row came back"


def ingest_and_flush(store: Store, journal: Journal) -> None:
    for number in range(3):
        journal.send(store, number * 10, 10)
    store.flush()
    journal.send(store, 30, 5)
    journal.send(store, 30, 5)
    store.flush()
    journal.send(store, 40, 5)


def compact(store: Store, journal: Journal) -> None:
    for number in range(3):
        journal.send(store, number * 10, 10)
        store.flush()
    store.compact(full=True)
    journal.send(store, 30, 3)
    store.flush()
    store.compact(full=True)


def delete(store: Store, journal: Journal) -> None:
    journal.send(store, 0, 20)
    store.flush()
    journal.send(store, 20, 20)
    journal.delete_trace_of(store, 6)
    journal.send(store, 40, 4)
    journal.delete_trace_of(store, 41)


WORK = [ingest_and_flush, compact, delete]


def run(
    work: Callable[[Store, Journal], None], folder: Path, shadow: Path, die_at: int | None
) -> tuple[FaultyFs, Journal]:
    journal = Journal()
    fs = FaultyFs(folder, shadow, die_at)
    store: Store | None = None
    try:
        store = open_store(folder, fs=fs, clock=FakeClock(), **EVERY_WORD)
        work(store, journal)
    except PowerLossError:
        pass
    finally:
        if store is not None:
            release(store)
    return fs, journal


def release(store: Store) -> None:
    """Frees what a dead process would leave to the kernel."""
    store._core.catalog.close()
    if store._core.wal is not None:
        store._core.wal._file.close()
    if store._lock is not None:
        store._lock.close()


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_at_every_step(tmp_path: Path, work: Callable[[Store, Journal], None]) -> None:
    whole, journal = run(work, tmp_path / "whole", tmp_path / "shadow", None)
    assert journal.acknowledged == journal.sent
    assert len(whole.steps) > 20
    for die_at in range(len(whole.steps) + 1):
        base = tmp_path / str(die_at)
        fs, journal = run(work, base / "live", base / "shadow", die_at)
        for name, rebuild in (("lost", fs.after_power_loss), ("kept", fs.after_kill)):
            folder = base / name
            folder.mkdir()
            rebuild(folder)
            with open_store(folder, clock=FakeClock()) as store:
                journal.check(store)
                rows = read_rows(store)
                assert store.check(deep=True).ok
                store.flush()
                assert read_rows(store) == rows
            with open_store(folder, clock=FakeClock()) as store:
                assert read_rows(store) == rows


def test_power_is_lost_again_while_recovering(tmp_path: Path) -> None:
    fs, journal = run(ingest_and_flush, tmp_path / "live", tmp_path / "shadow", 40)
    for die_at in range(30):
        folder, shadow = tmp_path / f"f{die_at}", tmp_path / f"s{die_at}"
        folder.mkdir()
        fs.after_power_loss(folder)
        second = FaultyFs(folder, shadow, die_at)
        with contextlib.suppress(PowerLossError):
            release(open_store(folder, fs=second, clock=FakeClock()))
        with open_store(folder, clock=FakeClock()) as store:
            journal.check(store)
