"""Segments are plain Parquet: pyarrow and DuckDB read them as they are; polars by flag.

TRACESTORE_POLARS=1 adds polars, which must be installed then.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

import tracestore
from data.stores import span
from store.kit import open_store, segment_files
from tracestore import limits
from tracestore.segment.read import SegmentFile
from tracestore.store.backup import backup
from tracestore.store.files import filenames
from tracestore.store.rebuild import recover
from tracestore.store.settings import Mode, Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "format" / "segment.md"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rows = [span(n, input={"a": n, "b": [1.5, n]}, tags=["x", str(n)]) for n in range(300)]
    rows[5]["metadata"] = {"rare": "needle"}
    rows[9]["metadata"] = {"rare": 7}
    with open_store(tmp_path) as store:
        store.insert("spans", rows)
        store.flush()
    (path,) = segment_files(tmp_path)
    return path, Path(filenames.tail_key(str(path)))


def test_the_obvious_glob_reads_rows_and_nothing_else(files: tuple[Path, Path]) -> None:
    folder, tail = files[0].parent, files[1]
    assert tail.exists()
    assert [path.name for path in folder.glob("*.parquet")] == [files[0].name]
    with duckdb.connect() as connection:
        for glob in (f"{folder}/*.parquet", f"{folder.parents[2]}/**/*.parquet"):
            assert connection.execute(f"SELECT count(*) FROM '{glob}'").fetchone() == (300,)


@pytest.mark.parametrize("mode", ["r", "rw"])
def test_tails_under_the_name_of_older_versions_are_read_copied_and_recovered(
    files: tuple[Path, Path], tmp_path: Path, mode: Mode
) -> None:
    path, tail = files
    tail.rename(filenames.former_tail_key(str(path)))

    def needles(folder: Path, mode: Mode = "rw") -> list[Any]:
        with tracestore.open(folder, mode) as store:
            assert store.check(deep=True).faults == ()
            sql = (
                "SELECT metadata.rare FROM spans WHERE metadata.rare IS NOT NULL ORDER BY start_ns"
            )
            return [row["rare"] for row in store.sql(sql)]

    assert needles(tmp_path, mode) == ["needle", 7]
    copy = tmp_path.parent / f"{tmp_path.name}-copy"
    backup(tmp_path, copy, Settings())
    assert needles(copy) == ["needle", 7]
    for file in copy.glob("catalog.sqlite*"):
        file.unlink()
    recover(copy, Settings())
    with open_store(copy) as store:
        store.insert("spans", [span(300)])
        store.flush()
        assert store.compact(full=True).merges == 1
    assert needles(copy) == ["needle", 7]
    assert list(copy.rglob("*.tail.parquet")) == []


def test_plain_pyarrow(files: tuple[Path, Path]) -> None:
    table = pq.read_table(files[0])
    assert table.num_rows == 300
    assert table["start_ns"].to_pylist() == sorted(table["start_ns"].to_pylist())
    assert table["input.a:i64"].to_pylist() == list(range(300))
    assert table["tags:str[]"].to_pylist()[7] == ["x", "7"]
    assert str(table.schema.field("start_time").type) == "timestamp[us, tz=UTC]"


def test_plain_duckdb(files: tuple[Path, Path]) -> None:
    with duckdb.connect() as connection:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(
                sql.replace("SEGMENT", f"'{files[0]}'").replace(
                    "TAIL", f"read_parquet('{files[1]}')"
                )
            ).fetchall()

        assert ask('SELECT sum("input.a:i64"), count(DISTINCT trace_id) FROM SEGMENT') == [
            (44850, 75)
        ]
        found = ask(f"SELECT name FROM SEGMENT WHERE span_id = '{8:016x}'")
        assert found == [("op-0",)]
        tail = ask("SELECT row, type, str, i64 FROM TAIL WHERE path = 'metadata.rare' ORDER BY row")
        assert tail == [(5, "str", "needle", None), (9, "i64", None, 7)]
        joined = ask(
            "SELECT s.span_id FROM (SELECT *, file_row_number AS n FROM read_parquet(SEGMENT, "
            "file_row_number = true)) s JOIN TAIL t ON t.row = s.n WHERE t.str = 'needle'"
        )
        assert joined == [(f"{6:016x}",)]
        filters = ask(
            "SELECT count(*) FROM parquet_metadata(SEGMENT) WHERE bloom_filter_offset IS NOT NULL"
        )
        assert filters == [(2,)]


@pytest.mark.skipif(not os.environ.get("TRACESTORE_POLARS"), reason="set TRACESTORE_POLARS=1")
def test_plain_polars(files: tuple[Path, Path]) -> None:
    import polars

    frame = polars.read_parquet(files[0])
    assert frame["input.a:i64"].sum() == 44850
    assert polars.read_parquet(files[1]).filter(polars.col("path") == "metadata.rare").height == 2


def test_row_groups_are_bounded_in_rows_and_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROW_GROUP_ROWS", 50)
    monkeypatch.setattr(limits, "ROW_GROUP_BYTES", 40_000)
    with open_store(tmp_path) as store:
        store.insert(
            "spans", [span(n, input=f"{n}" + "x" * (20_000 if n > 190 else 10)) for n in range(200)]
        )
        store.flush()
    (path,) = segment_files(tmp_path)
    metadata = pq.read_metadata(path)
    rows = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert max(rows) <= 50
    assert len(rows) > 6
    with SegmentFile(path) as file:
        assert max(group.nbytes for group in file.slices()) <= 60_000


def test_footer_keys_are_those_of_the_page(files: tuple[Path, Path]) -> None:
    documented = set(re.findall(r"^\| `(tracestore\.\w+)` \|", PAGE.read_text(), re.MULTILINE))
    for path in files:
        keys = {key.decode() for key in pq.read_metadata(path).metadata or {}}
        assert keys | {"tracestore.item_columns", "tracestore.cluster_by"} == documented


def test_the_example_of_the_page_is_what_is_written(tmp_path: Path) -> None:
    block = PAGE.read_text().split("## Example")[1].split("## ")[0]
    expected = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in block.splitlines()
        if line.startswith("| input")
    ]
    values = [{"a": 1}, {"a": "x"}, {"b": [1, 2]}]
    with open_store(tmp_path) as store:
        store.insert(
            "spans", [span(n, attributes={}, input=value) for n, value in enumerate(values)]
        )
        store.flush()
    (path,) = segment_files(tmp_path)
    with SegmentFile(Path(filenames.tail_key(str(path)))) as file:
        rows = [list(row.values()) for group in file.slices() for row in group.to_pylist()]
    shown = [["" if value is None else str(value) for value in row] for row in rows]
    assert [row for row in shown if row[0].startswith("input")] == expected


def test_the_catalog_page_names_every_column() -> None:
    from tracestore.store.catalog.schema import tables

    text = (PAGE.parent / "catalog.md").read_text()
    for table in tables.METADATA.sorted_tables:
        for column in table.columns:
            assert re.search(rf"\b{column.name}\b", text), f"{table.name}.{column.name}"
        assert table.name in text
