"""Nothing that was acknowledged is deleted by opening: catalogs of another point, backups, and catalogs made anew."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from data import processes
from data.stores import span
from store.kit import expected_ids, open_store, segment_files, span_ids
from tracestore.errors import (
    CatalogError,
    CorruptionError,
    StoreExistsError,
    StoreLockedError,
    StoreMissingError,
)
from tracestore.store import Store
from tracestore.store.backup import backup
from tracestore.store.rebuild import recover
from tracestore.store.settings import Settings

CATALOG = "catalog.sqlite"


def written(folder: Path, *parts: range) -> None:
    """Writes a segment of spans for each range."""
    with open_store(folder) as store:
        for part in parts:
            store.insert("spans", [span(number) for number in part])
            store.flush()


def put_catalog(source: Path, folder: Path) -> None:
    for name in (CATALOG, f"{CATALOG}-wal", f"{CATALOG}-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(source, folder / CATALOG)


def kept_catalog(folder: Path, target: Path) -> Path:
    shutil.copy(folder / CATALOG, target)
    return target


def every_file(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith((CATALOG, "LOCK"))
    }


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return processes.run([str(Path(sys.executable).with_name("tracestore")), *words])


def test_an_older_catalog_removes_no_segment(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    written(folder, range(5))
    old = kept_catalog(folder, tmp_path / "old.sqlite")
    written(folder, range(5, 9))
    put_catalog(old, folder)
    for _ in range(2):  # the second opening finds a log that goes with the catalog again
        with open_store(folder) as store:
            assert span_ids(store) == expected_ids(range(5))
            report = store.check()
            assert any("set aside" in fault.what for fault in report.faults)
            assert store.stats().faults >= 1
    assert len(list((folder / "set-aside").rglob("*.parquet"))) >= 1
    assert recover(folder, Settings()).rows == 4
    with open_store(folder) as store:
        assert span_ids(store) == expected_ids(range(9))
        assert store.check(deep=True).ok


def test_a_catalog_of_before_a_merge_gets_its_rows_back(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    written(folder, range(3), range(3, 6), range(6, 9))
    old = kept_catalog(folder, tmp_path / "old.sqlite")
    with open_store(folder) as store:
        store.compact(full=True)
    assert len(segment_files(folder)) == 1
    put_catalog(old, folder)
    with open_store(folder) as store:
        assert not store.check().ok
    recover(folder, Settings())
    with open_store(folder) as store:
        assert span_ids(store) == expected_ids(range(9))


def test_a_catalog_of_another_store_removes_no_segment(tmp_path: Path) -> None:
    written(tmp_path / "a", range(4))
    written(tmp_path / "b", range(10, 12))
    put_catalog(tmp_path / "b" / CATALOG, tmp_path / "a")
    with open_store(tmp_path / "a") as store:
        assert {fault.what.split(":")[0] for fault in store.check().faults} >= {"quarantined"}
    recover(tmp_path / "a", Settings())
    with open_store(tmp_path / "a") as store:
        assert span_ids(store) == expected_ids(range(4))


def test_a_catalog_that_is_gone_is_told_each_time_and_made_anew(tmp_path: Path) -> None:
    written(tmp_path, range(4), range(4, 6))
    before = every_file(tmp_path / "segments")
    for path in tmp_path.glob(f"{CATALOG}*"):
        path.unlink()
    for _ in range(2):
        with pytest.raises(CorruptionError, match="tracestore recover"):
            open_store(tmp_path)
    assert every_file(tmp_path / "segments") == before
    report = recover(tmp_path, Settings())
    assert (report.adopted, report.rows, report.unreadable) == (2, 6, ())
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids(range(6))


def test_a_damaged_catalog_is_a_typed_error_and_kept_beside_a_new_one(tmp_path: Path) -> None:
    written(tmp_path, range(4))
    data = bytearray((tmp_path / CATALOG).read_bytes())
    data[:] = b"\xff" * len(data)
    (tmp_path / CATALOG).write_bytes(bytes(data))
    for mode in ("rw", "r"):
        with pytest.raises(CatalogError, match="cannot use catalog"):
            Store.open(tmp_path, mode=mode)
    assert recover(tmp_path, Settings()).new_catalog
    assert (tmp_path / f"{CATALOG}.damaged").read_bytes() == bytes(data)
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids(range(4))


def test_recovering_takes_no_row_twice(tmp_path: Path) -> None:
    written(tmp_path, range(3), range(3, 6))
    files = (path for path in (tmp_path / "segments").rglob("*") if path.is_file())
    kept = {path: path.read_bytes() for path in files}
    with open_store(tmp_path) as store:
        store.compact(full=True)
    for path, content in kept.items():
        path.write_bytes(content)
    for path in tmp_path.glob(f"{CATALOG}*"):
        path.unlink()
    report = recover(tmp_path, Settings())
    assert (report.adopted, report.repeated) == (1, 2)
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids(range(6))


def test_recovering_names_what_is_no_segment(tmp_path: Path) -> None:
    written(tmp_path, range(3))
    (path,) = segment_files(tmp_path)
    (path.parent / "01CUT.parquet").write_bytes(path.read_bytes()[:-100])
    report = recover(tmp_path, Settings())
    assert len(report.unreadable) == 1 and "01CUT" in report.unreadable[0]
    with pytest.raises(StoreMissingError):
        recover(tmp_path / "none", Settings())


def test_checking_by_command_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    written(folder, range(5))
    old = kept_catalog(folder, tmp_path / "old.sqlite")
    written(folder, range(5, 9))
    put_catalog(old, folder)
    before = every_file(folder)
    done = command("check", "--data", str(folder), "--format", "json")
    assert done.returncode == 1
    (report,) = json.loads(done.stdout)
    assert any("does not name" in fault["what"] for fault in report["faults"])
    assert every_file(folder) == before


def test_checking_names_damaged_frames_that_nobody_has_replayed(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    for number in range(3):
        store.insert("spans", [span(number)])
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    store.close()
    (log,) = (tmp_path / "copy" / "wal").glob("*.wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF
    log.write_bytes(bytes(data))
    with Store.open(tmp_path / "copy", mode="r") as reader:
        (fault,) = reader.check().faults
    assert "its rows are lost" in fault.what
    with open_store(tmp_path / "copy") as store:
        assert store.stats().lost_log_bytes > 0
        assert [each.what for each in store.check().faults] == [fault.what]
    assert log.read_bytes() == bytes(data) or not log.exists()


def test_removing_the_lock_file_lets_no_second_writer_in(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        (tmp_path / "LOCK").unlink()
        with pytest.raises(StoreLockedError):
            open_store(tmp_path)
        moved = tmp_path.rename(tmp_path.with_name("moved"))
        with pytest.raises(StoreLockedError):
            open_store(moved)
        moved.rename(tmp_path)
        store.insert("spans", [span(1)])
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids([1])


def test_a_backup_while_a_writer_works_holds_every_row_acknowledged_before_it(
    tmp_path: Path,
) -> None:
    acknowledged: list[int] = []
    enough, stop = threading.Event(), threading.Event()

    def write(store: Store) -> None:
        number = 0
        while not stop.is_set():
            store.insert("spans", [span(number)])
            acknowledged.append(number)
            number += 1
            if number % 25 == 0:
                store.flush()
            if number % 100 == 0:
                store.compact(full=True)
            if number == 60:
                enough.set()

    with open_store(tmp_path / "store", durability="async") as store:
        writer = threading.Thread(target=write, args=(store,))
        writer.start()
        try:
            assert enough.wait(processes.HANG_S)
            for copy in range(4):
                known = len(acknowledged)
                report = backup(tmp_path / "store", tmp_path / f"copy{copy}", Settings())
                assert report.bytes > 0
                with open_store(tmp_path / f"copy{copy}") as restored:
                    assert set(expected_ids(range(known))) <= set(span_ids(restored))
                    assert len(set(span_ids(restored))) == len(span_ids(restored))
                    assert restored.check(deep=True).ok
        finally:
            stop.set()
            writer.join()


def test_a_backup_is_a_store_of_its_own(tmp_path: Path) -> None:
    written(tmp_path / "store", range(5))
    with open_store(tmp_path / "store") as store:
        store.insert("spans", [span(5)])
        done = command("backup", str(tmp_path / "store"), str(tmp_path / "copy"))
        assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "store")
    with open_store(tmp_path / "copy") as store:
        assert span_ids(store) == expected_ids(range(6))
        store.compact(full=True)
    with pytest.raises(StoreExistsError):
        backup(tmp_path / "copy", tmp_path, Settings())
    with pytest.raises(StoreMissingError):
        backup(tmp_path / "store", tmp_path / "other", Settings())


def test_recovering_by_command_says_what_it_did(tmp_path: Path) -> None:
    written(tmp_path, range(4))
    for path in tmp_path.glob(f"{CATALOG}*"):
        path.unlink()
    sqlite3.connect(tmp_path / CATALOG).close()
    done = command("recover", str(tmp_path), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["rows"] == 4
