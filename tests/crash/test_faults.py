"""Full disks and failing syncs: each has its error, and what it leaves is defined."""

from __future__ import annotations

from pathlib import Path

import pytest

from crash.faulty import FaultyFs
from data.stores import span
from store.kit import FakeClock, expected_ids, open_store, otlp_traces, span_ids
from tracestore.errors import StorageFullError, StoreFailedError, SyncFailedError
from tracestore.store import Store


@pytest.fixture
def fs(tmp_path: Path) -> FaultyFs:
    return FaultyFs(tmp_path / "store", tmp_path / "shadow")


def send(store: Store, *numbers: int) -> None:
    store.ingest_otlp(otlp_traces(span(number) for number in numbers), "traces")


def test_a_full_disk_refuses_the_request_and_goes_on_when_there_is_room(fs: FaultyFs) -> None:
    with open_store(fs.root, fs=fs) as store:
        send(store, 1, 2)
        fs.room = 100
        for _ in range(3):
            with pytest.raises(
                StorageFullError, match=r"\.wal: No space left on device; free space"
            ):
                send(store, *range(3, 60))
        assert span_ids(store) == expected_ids([1, 2])
        fs.room = None
        send(store, *range(3, 60))  # not taken for a copy of what was refused
        assert span_ids(store) == expected_ids(range(1, 60))
    with open_store(fs.root) as store:
        assert span_ids(store) == expected_ids(range(1, 60))
        assert store.check().ok


def test_a_full_disk_at_flush_keeps_the_rows_and_tries_again(fs: FaultyFs) -> None:
    with open_store(fs.root, fs=fs) as store:
        send(store, *range(50))
        fs.room = 300
        for _ in range(2):
            with pytest.raises(StorageFullError, match="free space"):
                store.flush()
            assert span_ids(store) == expected_ids(range(50))
        fs.room = None
        assert store.flush() == 1
        assert span_ids(store) == expected_ids(range(50))
        names = [path.name for path in (fs.root / "segments").rglob("*") if path.is_file()]
        assert len(names) == 1, "unfinished files are removed"


def test_writers_are_told_when_memory_fills_up_since_flushing_fails(fs: FaultyFs) -> None:
    with open_store(fs.root, fs=fs, flush_rows=10, max_frozen=2, background=False) as store:
        fs.room = 20_000
        first = 0
        while first < 10_000:
            try:
                send(store, *range(first, first + 10))
            except StorageFullError:
                break
            first += 10
        assert 20 <= first < 10_000
        fs.room = None
        store.flush()
        send(store, *range(first, first + 10))
        assert span_ids(store) == expected_ids(range(first + 10))


def test_a_failed_sync_is_never_acknowledged_and_ends_writing(fs: FaultyFs) -> None:
    store = open_store(fs.root, fs=fs)
    send(store, 1)
    fs.failing_syncs = True
    with pytest.raises(SyncFailedError, match=r"cannot sync .*\.wal: .*; reopen the store"):
        send(store, 2)
    fs.failing_syncs = False
    for _ in range(2):
        with pytest.raises(StoreFailedError, match="reopen the store"):
            send(store, 3)
    with pytest.raises(StoreFailedError):
        store.flush()
    assert span_ids(store) == expected_ids([1])  # reading goes on
    store.close()
    with open_store(fs.root) as again:
        found = span_ids(again)
        assert found in (expected_ids([1]), expected_ids([1, 2]))
        send(again, 2, 3)
        assert span_ids(again) == expected_ids([1, 2, 3])


def test_a_failed_sync_of_a_segment_fails_the_flush_only(fs: FaultyFs) -> None:
    with open_store(fs.root, fs=fs) as store:
        send(store, *range(20))
        core = store._core
        written: list[str] = []
        plain = core.segments.write

        def failing(*arguments: object) -> object:
            fs.failing_syncs = True
            written.append("tried")
            try:
                return plain(*arguments)  # type: ignore[arg-type]
            finally:
                fs.failing_syncs = False

        core.segments.write = failing  # type: ignore[method-assign,assignment]
        with pytest.raises(OSError, match="Input/output error"):
            store.flush()
        core.segments.write = plain  # type: ignore[method-assign]
        assert written == ["tried"]
        assert span_ids(store) == expected_ids(range(20))
        assert store.flush() == 1
        assert span_ids(store) == expected_ids(range(20))


def test_the_clock_going_backwards_changes_nothing(fs: FaultyFs) -> None:
    clock = FakeClock()
    with open_store(fs.root, clock=clock) as store:
        send(store, 1)
        store.flush()
        clock.wall_ns -= 10**18
        send(store, 2)
        store.flush()
        ids = [row.segment_id for row in store._core.index.rows()]
        assert ids == sorted(ids)
        send(store, 2)
    clock.wall_ns = 5
    with open_store(fs.root, clock=clock) as store:
        assert store.insert("spans", [span(1)]).duplicates == 1
        send(store, 3)
        store.flush()
        assert [row.segment_id for row in store._core.index.rows()][:2] == ids
        assert span_ids(store) == expected_ids([1, 2, 3])
