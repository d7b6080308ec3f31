"""Damaged and missing files: named, set aside, and the rest still answers."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from data.stores import DAY_NS, START_NS, span
from store.kit import expected_ids, open_store, otlp_traces, segment_files, span_ids
from tracestore.errors import CorruptionError, FormatVersionError, TraceStoreError
from tracestore.segment.read import SegmentFile, file_crc
from tracestore.store import Store
from tracestore.store.files import filenames


def three_days(folder: Path) -> None:
    with open_store(folder) as store:
        for day in range(3):
            rows = [span(day * 100 + n, start_ns=START_NS + day * DAY_NS + n) for n in range(100)]
            rows[7]["metadata"] = {"rare": day}
            store.insert("spans", rows)
            store.flush()


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)


def test_a_damaged_segment_is_quarantined_and_the_rest_answers(tmp_path: Path) -> None:
    three_days(tmp_path)
    damaged = segment_files(tmp_path)[1]
    flip(damaged, damaged.stat().st_size // 3)
    with open_store(tmp_path) as store:
        assert store.check().ok  # sizes and footers are right
        for _ in range(2):  # the first changed nothing
            report = store.check(deep=True)
            assert not report.ok
            assert report.segments == 2
            (fault,) = report.faults
            assert damaged.name in fault.path
            assert fault.what.endswith("does not match its checksum; restore it from a backup")
            assert store.stats().quarantined == 0
        store.check(deep=True, quarantine=True)
        assert store.stats().quarantined == 1
        assert span_ids(store) == expected_ids([*range(100), *range(200, 300)])
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids([*range(100), *range(200, 300)])
        with store.snapshot() as snapshot:
            assert [Path(fault.path).name for fault in snapshot.faults] == [damaged.name]
        assert damaged.exists(), "what is damaged is kept for whoever repairs it"


@pytest.mark.parametrize("tail", [False, True])
def test_a_missing_file_is_named_and_the_rest_answers(tmp_path: Path, *, tail: bool) -> None:
    three_days(tmp_path)
    path = segment_files(tmp_path)[0]
    if tail:
        path = Path(filenames.tail_key(str(path)))
    path.unlink()
    with open_store(tmp_path) as store:
        (fault,) = store.check().faults
        assert "is missing; restore it from a backup" in fault.what
        assert path.name in fault.what
        assert span_ids(store) == expected_ids(range(100, 300))


def test_a_segment_cut_short_is_found_at_open(tmp_path: Path) -> None:
    three_days(tmp_path)
    path = segment_files(tmp_path)[2]
    path.write_bytes(path.read_bytes()[:-1])
    with open_store(tmp_path) as store:
        assert "bytes; want" in store.check().faults[0].what
        assert span_ids(store) == expected_ids(range(200))


def test_a_reader_reports_what_it_could_not_read(tmp_path: Path) -> None:
    three_days(tmp_path)
    with open_store(tmp_path) as store:
        with store.snapshot() as snapshot:
            bad = snapshot.tables["spans"].segments[0]
        assert store.quarantine(bad.segment_id, "the query could not read it")
        assert not store.quarantine(bad.segment_id, "again")
        assert span_ids(store) == expected_ids(range(100, 300))


def test_compaction_and_delete_go_on_without_a_damaged_segment(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for part in range(4):
            store.insert("spans", [span(part * 50 + n) for n in range(50)])
            store.flush()
        damaged = segment_files(tmp_path)[0]
        flip(damaged, 200)
        done = store.compact(full=True)
        assert (done.quarantined, done.merges) == (1, 1)
        assert span_ids(store) == expected_ids(range(50, 200))
        report = store.delete(trace_id=span(1)["trace_id"])
        assert report.rows == 0
        assert [Path(place).name for place in report.faults] == [damaged.name]


def test_a_flip_anywhere_is_seen_and_reading_does_not_crash(tmp_path: Path) -> None:
    three_days(tmp_path)
    path = segment_files(tmp_path)[0]
    data = path.read_bytes()
    crc = file_crc(path)
    rng = random.Random(5)
    for position in sorted(rng.sample(range(len(data)), 400)):
        flip(path, position)
        assert file_crc(path) != crc
        try:
            with SegmentFile(path) as file:
                file.verify()
        except (CorruptionError, FormatVersionError):
            pass
        path.write_bytes(data)
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        with pytest.raises(CorruptionError):
            SegmentFile(path)


def test_a_foreign_parquet_file_is_not_a_segment(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(CorruptionError, match="not a tracestore segment"):
        SegmentFile(tmp_path / "x.parquet")


# --- the log ---


def log_of(folder: Path) -> Path:
    (path,) = (folder / "wal").glob("*.wal")
    return path


def three_requests(folder: Path) -> list[int]:
    sizes = []
    with open_store(folder) as store:
        for number in range(3):
            store.ingest_otlp(otlp_traces(span(number * 10 + n) for n in range(10)), "traces")
            sizes.append(store.stats().wal_bytes)
    return sizes


@pytest.mark.parametrize("where", ["header", "body"])
def test_a_damaged_frame_in_the_middle_costs_that_frame_and_is_named(
    tmp_path: Path, where: str
) -> None:
    first, second, _ = three_requests(tmp_path)
    path = log_of(tmp_path)
    flip(path, first + (10 if where == "header" else 60))
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids([*range(10), *range(20, 30)])
        (fault,) = store.check().faults
        assert fault.path == f"{path}: offset {first} to {second}"
        assert "its rows are lost" in fault.what
        store.flush()
        kept = path.with_name(path.name + ".damaged")
        assert kept.exists()
    with open_store(tmp_path) as store:
        assert [fault.path for fault in store.check().faults] == [str(kept)]
        assert span_ids(store) == expected_ids([*range(10), *range(20, 30)])


def test_a_torn_tail_is_cut_off_silently(tmp_path: Path) -> None:
    _, second, third = three_requests(tmp_path)
    path = log_of(tmp_path)
    path.write_bytes(path.read_bytes()[: third - 5])
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids(range(20))
        assert store._core.recovery.torn_bytes == third - 5 - second
        assert path.stat().st_size == second
        assert store.check().ok


def test_a_damaged_file_header_sets_the_file_aside(tmp_path: Path) -> None:
    three_requests(tmp_path)
    path = log_of(tmp_path)
    flip(path, 3)
    with open_store(tmp_path) as store:
        assert span_ids(store) == []
        assert "file header is damaged" in store.check().faults[0].what
        store.insert("spans", [span(1)])
        store.flush()
        assert path.with_name(path.name + ".damaged").exists()


def test_an_empty_log_file_is_a_torn_creation(tmp_path: Path) -> None:
    three_requests(tmp_path)
    for size in (0, 17):
        (tmp_path / "wal" / filenames.wal_name(50 + size)).write_bytes(bytes(size))
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids(range(30))
        assert store.check().ok


def test_a_damaged_catalog_is_a_typed_error(tmp_path: Path) -> None:
    three_days(tmp_path)
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"not a database, " * 1000)
    with pytest.raises(TraceStoreError, match=r"cannot use catalog .*catalog\.sqlite"):
        open_store(tmp_path)
    with pytest.raises(TraceStoreError):
        Store.open(tmp_path, mode="r")
    assert len(segment_files(tmp_path)) == 3
