"""Stores written by earlier versions are read, merged with new rows, and described as they were."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tracestore
from data.stores import span
from golden.write_store import VERSION, write
from store.kit import FakeClock, open_store, read_rows, segment_files
from tracestore.segment.footer import FORMAT
from tracestore.segment.inspect import describe
from tracestore.store.files import filenames

HERE = Path(__file__).resolve().parent
VERSIONS = sorted(path.name for path in HERE.glob("v*") if path.is_dir())


def plain(rows: object) -> object:
    """Returns rows as JSON would give them back."""
    return json.loads(json.dumps(rows, default=str))


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, object]]:
    source = HERE / request.param
    shutil.copytree(source / "store", tmp_path / "store")
    return tmp_path / "store", json.loads((source / "rows.json").read_text())


def test_the_newest_format_has_a_golden_store() -> None:
    assert f"v{FORMAT}" == VERSION
    assert VERSION in VERSIONS


def test_rows_are_read_as_they_were_written(golden: tuple[Path, dict[str, object]]) -> None:
    folder, expected = golden
    with open_store(folder, clock=FakeClock()) as store:
        assert store.check(deep=True).ok
        for table, rows in expected.items():
            assert plain(read_rows(store, table)) == rows
        assert store.projects()["other"] == 30


def test_old_segments_are_merged_with_new_rows(golden: tuple[Path, dict[str, object]]) -> None:
    folder, expected = golden
    with open_store(folder, clock=FakeClock()) as store:
        store.insert("spans", [span(1000 + n) for n in range(50)], project="golden/project")
        store.flush()
        before = read_rows(store)
        assert store.compact(full=True).merges >= 1
        assert read_rows(store) == before
        assert len(before) == 50 + len(expected["spans"])  # type: ignore[arg-type]


def test_every_old_file_is_described(golden: tuple[Path, dict[str, object]]) -> None:
    folder, _ = golden
    for path in segment_files(folder):
        shown = describe(path)
        assert shown.footer.rows == sum(shown.row_groups)
        assert f"segment_id      {shown.footer.segment_id}" in list(shown.lines())
        tail = Path(filenames.former_tail_key(str(path)))
        if tail.exists():
            assert describe(tail).footer.tail_entries == sum(describe(tail).row_groups)


def test_the_writer_still_writes_these_rows(tmp_path: Path) -> None:
    write(tmp_path)
    made = json.loads((tmp_path / "rows.json").read_text())
    before = json.loads((HERE / VERSION / "rows.json").read_text())
    assert made.keys() == before.keys()
    for table, rows in made.items():
        for row, old in zip(rows, before[table], strict=True):
            # These files tell whole numbers by their spelling, as 1 and 1.0; keys of today by their value.
            if row.keys() & {"input:f64", "input:json"}:
                old |= {"input_key": row["input_key"]}
            assert row == old


def test_old_rows_are_asked_in_sql(golden: tuple[Path, dict[str, object]]) -> None:
    folder, expected = golden
    with tracestore.open(folder) as store:
        for table, rows in expected.items():
            assert len(store.sql(f"SELECT * FROM {table}").rows()) == len(rows)  # type: ignore[arg-type]
            # Few rows of a file are read another way than many.
            found = store.sql(f"SELECT attributes FROM {table} LIMIT 2").rows()
            assert len(found) == 2
        assert store.sql("SELECT count(moved_attributes) AS n FROM spans").rows() == [{"n": 0}]
