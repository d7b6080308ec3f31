"""Power is lost while later versions of spans come: of each span the last acknowledged version is there, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crash.faulty import FaultyFs, PowerLossError
from data.stores import span
from store.kit import FakeClock, open_store, otlp_traces, read_rows
from tracestore.store import Store

MERGED_EACH = 4
"""Of so many steps one goes on to merge what it finds: most of the time is spent there."""


class Versions:
    """The version of each span that was sent last, and that was acknowledged last."""

    def __init__(self) -> None:
        self.sent: dict[int, int] = {}
        self.acknowledged: dict[int, int] = {}

    def send(self, store: Store, numbers: range, version: int) -> None:
        self.sent |= dict.fromkeys(numbers, version)
        rows = [span(number, attributes={"version": version}) for number in numbers]
        store.ingest_otlp(otlp_traces(rows), "traces")
        self.acknowledged |= dict.fromkeys(numbers, version)

    def patch(self, store: Store, number: int) -> None:
        ids = {name: span(number)[name] for name in ("trace_id", "span_id")}
        store.patch({**ids, "scores": {"seen": 1}})

    def check(self, store: Store) -> None:
        found: dict[int, int] = {}
        for row in read_rows(store):
            number = int(row["span_id"], 16) - 1
            assert number not in found, "a span is there twice"
            found[number] = row["attributes.version:i64"]
        for number, version in self.acknowledged.items():
            assert found.get(number) in {version, self.sent[number]}, (
                "the last version is not there"
            )


def in_memory_and_segments(store: Store, versions: Versions) -> None:
    versions.send(store, range(6), 1)
    versions.send(store, range(2), 2)
    store.flush()
    versions.send(store, range(1, 4), 3)
    versions.send(store, range(3, 5), 4)
    store.flush()
    versions.send(store, range(6), 5)


def merged(store: Store, versions: Versions) -> None:
    versions.send(store, range(6), 1)
    store.flush()
    versions.patch(store, 1)
    versions.send(store, range(3), 2)
    store.flush()
    versions.patch(store, 4)
    store.compact(full=True)
    versions.send(store, range(1, 5), 3)
    store.flush()
    store.compact(full=True)


def run(
    work: Callable[[Store, Versions], None], folder: Path, shadow: Path, die_at: int | None
) -> tuple[FaultyFs, Versions]:
    versions = Versions()
    fs = FaultyFs(folder, shadow, die_at)
    store: Store | None = None
    try:
        store = open_store(folder, fs=fs, clock=FakeClock())
        work(store, versions)
    except PowerLossError:
        pass
    finally:
        if store is not None:
            release(store)
    return fs, versions


def release(store: Store) -> None:
    """Frees what a dead process would leave to the kernel."""
    store._core.catalog.close()
    if store._core.wal is not None:
        store._core.wal._file.close()
    if store._lock is not None:
        store._lock.close()


@pytest.mark.parametrize(
    "work", [in_memory_and_segments, merged], ids=lambda work: str(work.__name__)
)
def test_at_every_step(tmp_path: Path, work: Callable[[Store, Versions], None]) -> None:
    whole, versions = run(work, tmp_path / "whole", tmp_path / "shadow", None)
    assert versions.acknowledged == versions.sent
    assert len(whole.steps) > 20
    for die_at in range(len(whole.steps) + 1):
        base = tmp_path / str(die_at)
        fs, versions = run(work, base / "live", base / "shadow", die_at)
        for name, rebuild in (("lost", fs.after_power_loss), ("kept", fs.after_kill)):
            folder = base / name
            folder.mkdir()
            rebuild(folder)
            with open_store(folder, clock=FakeClock()) as store:
                versions.check(store)
                if die_at % MERGED_EACH == 0:
                    store.flush()
                    store.compact(full=True)
                    versions.check(store)
