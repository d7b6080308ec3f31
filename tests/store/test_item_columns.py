"""Item columns repeat texts of lists of objects within a share, follow from them, and no row is made of them."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from data.stores import EVERY_ITEM, ndjson, span
from store.kit import open_store, read_rows, segment_files
from tracestore.errors import FormatVersionError
from tracestore.segment import footer
from tracestore.segment.inspect import describe
from tracestore.store.rebuild import recover
from tracestore.store.settings import Settings
from tracestore.variant import is_item_column, item_texts

OFF: dict[str, Any] = {"max_item_columns_share": 0.0}


def rows(count: int = 60, first: int = 0) -> list[dict[str, Any]]:
    return [
        span(
            number,
            input=[{"role": f"r{number % 3}", "content": f"content {number}", "n": number}, None],
            output={"a[]b": [{"x.y": "dotted"}], "mixed": [{"k": "text"}, {"k": number}]},
            metadata=[{"Case": "A"}, {"case": "a"}],
        )
        for number in range(first, first + count)
    ]


def item_columns_of(folder: Path) -> list[set[str]]:
    return [
        {name for name in pq.read_schema(path).names if is_item_column(name)}
        for path in sorted(segment_files(folder))
    ]


def turns(chats: int, length: int) -> list[dict[str, Any]]:
    """Returns turns of interleaved chats: the messages of a turn are those before it and two more."""
    draw = random.Random(3)
    histories: list[list[dict[str, str]]] = [[] for _ in range(chats)]
    found = []
    for number in range(chats * length):
        history = draw.choice(histories)
        for role in ("user", "assistant"):
            content = " ".join(f"word{draw.randrange(1000)}" for _ in range(60))
            history.append({"role": role, "content": content})
        found.append(span(number, input={"messages": list(history)}))
    return found


EVERY_COLUMN = {
    "input[].content:str[]",
    "input[].role:str[]",
    'output."a[]b"[]."x.y":str[]',
}


def test_a_segment_has_the_texts_of_its_lists(tmp_path: Path) -> None:
    with open_store(tmp_path, **EVERY_ITEM) as store:
        store.insert("spans", ndjson(rows()))
        store.flush()
        assert store.check(deep=True).ok
    assert item_columns_of(tmp_path) == [EVERY_COLUMN]
    [path] = segment_files(tmp_path)
    table = pq.read_table(path)
    for name in EVERY_COLUMN:
        list_name, key = name.removesuffix(":str[]").rsplit("[].", 1)
        texts = item_texts(table.column(f"{list_name}:json[]"))
        assert texts is not None
        assert table.column(name).to_pylist() == texts.column(key.strip('"')).to_pylist()
    shown = describe(path)
    assert shown.footer.item_columns == len(EVERY_COLUMN)
    assert shown.footer.leaf_columns == len(
        [name for name in table.column_names if ":" in name and name not in EVERY_COLUMN]
    )
    assert table.column_names[-len(EVERY_COLUMN) :] == sorted(
        EVERY_COLUMN, key=table.column_names.index
    )


def test_rows_are_the_same_with_them_and_without(tmp_path: Path) -> None:
    found: list[Any] = []
    for name, settings in (("with", EVERY_ITEM), ("without", OFF)):
        with open_store(tmp_path / name, **settings) as store:
            for first in (0, 60, 120):
                store.insert("spans", ndjson(rows(first=first)))
                store.flush()
            before = read_rows(store)
            assert store.compact(full=True).merges
            assert read_rows(store) == before
            found.append(before)
            paths = [(row.path, row.type, row.rows) for row in store.paths("spans", "default")]
            found.append(paths)
    assert found[:2] == found[2:]
    assert item_columns_of(tmp_path / "with") == [EVERY_COLUMN]
    assert item_columns_of(tmp_path / "without") == [set()]


def test_a_merge_gives_segments_of_version_1_item_columns(tmp_path: Path) -> None:
    with open_store(tmp_path, **OFF) as store:
        store.insert("spans", ndjson(rows()))
        store.flush()
        before = read_rows(store)
    [old] = segment_files(tmp_path)
    assert describe(old).footer.item_columns == 0
    assert pq.read_metadata(old).metadata[b"tracestore.format"] == b"1"
    with open_store(tmp_path, **EVERY_ITEM) as store:
        store.insert("spans", ndjson(rows(first=60)))
        store.flush()
        assert store.compact(full=True).merges
        assert [row for row in read_rows(store) if row in before] == before
    assert item_columns_of(tmp_path) == [EVERY_COLUMN]
    [new] = segment_files(tmp_path)
    assert pq.read_metadata(new).metadata[b"tracestore.format"] == b"2"


def test_an_older_version_refuses_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(tmp_path, **EVERY_ITEM) as store:
        store.insert("spans", ndjson(rows()))
        store.flush()
    [path] = segment_files(tmp_path)
    monkeypatch.setattr(footer, "READABLE", frozenset({1}))
    with pytest.raises(FormatVersionError, match="open it with a newer tracestore"):
        describe(path)


def test_a_catalog_made_anew_knows_them(tmp_path: Path) -> None:
    with open_store(tmp_path, **EVERY_ITEM) as store:
        store.insert("spans", ndjson(rows()))
        store.flush()
        with store.snapshot() as snapshot:
            before = snapshot.tables["spans"].leaves
            leaf = ("input[].role", "str[]")
            assert before.column_segments(leaf).tolist() == [True]
            assert before.below("input") == []
            assert not any("[]." in name and '"' not in name for name in before.names())
            kept = read_rows(store)
    for path in tmp_path.glob("catalog.sqlite*"):
        path.unlink()
    shutil.rmtree(tmp_path / "readers", ignore_errors=True)
    recover(tmp_path, Settings())
    with open_store(tmp_path) as store:
        assert read_rows(store) == kept
        with store.snapshot() as snapshot:
            assert snapshot.tables["spans"].leaves.column_segments(leaf).tolist() == [True]


def test_deletes_leave_texts_of_the_rows_that_stay(tmp_path: Path) -> None:
    with open_store(tmp_path, **EVERY_ITEM) as store:
        store.insert("spans", ndjson(rows()))
        store.flush()
        store.delete(trace_id=f"{3:032x}")
        kept = read_rows(store)
        assert len(kept) == 56
    [path] = segment_files(tmp_path)
    table = pq.read_table(path)
    texts = item_texts(table.column("input:json[]"))
    assert texts is not None
    assert table.column("input[].role:str[]").to_pylist() == texts.column("role").to_pylist()
    assert len(table) == len(kept)


def test_chats_get_roles_within_the_share_and_no_contents(tmp_path: Path) -> None:
    sizes = []
    for name, settings in (("with", {}), ("without", OFF)):
        with open_store(tmp_path / name, **settings) as store:
            store.insert("spans", ndjson(turns(20, 15)))
            store.flush()
        [path] = segment_files(tmp_path / name)
        sizes.append(path.stat().st_size)
    assert item_columns_of(tmp_path / "with") == [{"input.messages[].role:str[]"}]
    assert sizes[0] <= 1.05 * sizes[1]
