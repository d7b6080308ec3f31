"""Opening: one writer, readers, versions, and what must not be mistaken for an empty store."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from data import processes
from data.stores import span
from store.kit import expected_ids, open_store, read_rows, segment_files, span_ids
from tracestore.errors import (
    CorruptionError,
    FormatVersionError,
    ReadOnlyError,
    StoreLockedError,
    StoreMissingError,
)
from tracestore.store import Store
from tracestore.store.catalog.schema.versions import VERSION


def test_a_second_writer_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    with (
        open_store(tmp_path),
        pytest.raises(
            StoreLockedError,
            match=rf"locked by pid {os.getpid()} on .* since .*; stop it or open with mode='r'",
        ),
    ):
        open_store(tmp_path)
    open_store(tmp_path).close()


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    code = (
        "import os, sys; from tracestore.store import Store;"
        "s = Store.open(sys.argv[1], background=False); s.insert('spans', [{'name': 'x'}]); os._exit(1)"
    )
    processes.run([sys.executable, "-c", code, str(tmp_path)])
    assert json.loads((tmp_path / "LOCK").read_text())["pid"] != os.getpid()
    with open_store(tmp_path) as store:
        assert len(read_rows(store)) == 1


def test_a_failed_open_gives_the_lock_back(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(1)])
        store.flush()
    catalog = (tmp_path / "catalog.sqlite").read_bytes()
    (tmp_path / "catalog.sqlite").unlink()
    with pytest.raises(CorruptionError, match="the catalog names none of the 2 segment files"):
        open_store(tmp_path)
    assert len(segment_files(tmp_path)) == 1
    (tmp_path / "catalog.sqlite").write_bytes(catalog)
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids([1])


def test_a_reader_needs_a_store_and_does_not_write(tmp_path: Path) -> None:
    with pytest.raises(StoreMissingError, match="no store here; open it with mode='rw'"):
        Store.open(tmp_path / "none", mode="r")
    assert not (tmp_path / "none").exists()
    open_store(tmp_path).close()
    with Store.open(tmp_path, mode="r") as reader:
        for write in (
            lambda: reader.insert("spans", [span(1)]),
            reader.flush,
            reader.compact,
            reader.expire,
            lambda: reader.delete(project="p"),
            lambda: reader.set_retention("p", 3),
        ):
            with pytest.raises(ReadOnlyError, match="opened with mode='r'"):
                write()


@pytest.mark.parametrize("mode", ["rw", "r"])
def test_a_newer_catalog_is_refused_by_name(tmp_path: Path, mode: str) -> None:
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as database:
        database.execute(
            "UPDATE tracestore_meta SET value = '99' WHERE key IN ('schema_version', 'compatible_version')"
        )
    database.close()
    with pytest.raises(
        FormatVersionError,
        match=rf"catalog\.sqlite: unexpected schema version; got 99; want at most {VERSION}; open it with a newer",
    ):
        open_store(tmp_path, mode=mode)


def test_files_no_row_names_are_removed_at_open(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(1)])
        store.flush()
    (kept,) = segment_files(tmp_path)
    for name in ("01ORPHAN.parquet", "01ORPHAN.tail", "01ORPHAN.parquet.tmp"):
        (kept.parent / name).write_bytes(b"x")
    with open_store(tmp_path) as store:
        assert store._core.recovery.removed_orphans == 3
        assert segment_files(tmp_path) == [kept]


def test_a_store_may_lie_in_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    with open_store(tmp_path / "a" / "b") as store:
        store.insert("spans", [span(1)])
    with open_store(tmp_path / "a" / "b") as store:
        assert span_ids(store) == expected_ids([1])


def test_names_of_projects_do_not_leave_their_folder(tmp_path: Path) -> None:
    names = ["..", ".", "a/b", "../../x", "ä ö", "x" * 300, "CON", "a\\b", "%2e%2e", "nul\x00"]
    with open_store(tmp_path / "s") as store:
        for number, name in enumerate(names):
            store.insert("spans", [span(number)], project=name)
        store.flush()
        assert len(segment_files(tmp_path / "s")) == len(names)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["s"]
        for number, name in enumerate(names):
            assert span_ids(store, projects=[name]) == expected_ids([number])
        for path in segment_files(tmp_path / "s"):
            assert len(path.relative_to(tmp_path / "s" / "segments").parts) == 4
    with open_store(tmp_path / "s") as store:
        assert len(span_ids(store)) == len(names)


def test_a_store_that_is_opened_again_and_again_keeps_two_files_of_its_log(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(1)])
        store.flush()
    for _ in range(4):
        open_store(tmp_path).close()
    names = sorted(path.name for path in (tmp_path / "wal").iterdir())
    assert len(names) == 2
    with open_store(tmp_path) as store:
        store.insert("spans", [span(2)])
    # Rows that no segment has stay in the log, whatever is opened after.
    for _ in range(3):
        with open_store(tmp_path) as store:
            assert span_ids(store) == expected_ids([1, 2])
    assert len(list((tmp_path / "wal").iterdir())) == 3
