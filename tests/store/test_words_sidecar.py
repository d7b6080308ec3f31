"""A segment's words sidecar costs a bounded share, is made of what the segment holds, and is never needed."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from data import processes
from data.stores import EVERY_WORD, span
from store.kit import expected_ids, open_store, span_ids
from tracestore import limits
from tracestore.store import SegmentRef, Store
from tracestore.store.files import filenames
from tracestore.variant import decode_list

ROWS = 6000


def rows(kind: str) -> list[dict[str, Any]]:
    draw = random.Random(7)
    some = [f"word{number}" for number in range(500)]
    texts: Callable[[], str] = {
        "prose": lambda: " ".join(draw.choices(some, k=8)),
        "ids": lambda: f"{draw.getrandbits(128):032x}",
        "many ids": lambda: " ".join(f"{draw.getrandbits(128):032x}" for _ in range(20)),
    }[kind]
    return [span(i, attributes={"text": texts(), "mark": f"mark{i}"}) for i in range(ROWS)]


def words_files(folder: Path) -> list[Path]:
    return sorted((folder / "segments").rglob(f"*{filenames.WORDS_SUFFIX}"))


def segments(store: Store) -> list[SegmentRef]:
    with store.snapshot() as snapshot:
        return list(snapshot.tables["spans"].segments)


@pytest.mark.parametrize("kind", ["prose", "ids", "many ids"])
def test_words_cost_a_share_of_the_segment_and_find_their_rows(tmp_path: Path, kind: str) -> None:
    written = rows(kind)
    with open_store(tmp_path) as store:
        store.insert("spans", written)
        store.flush()
        [segment] = segments(store)
        [path] = words_files(tmp_path)
        assert path.stat().st_size == segment.row.words_bytes
        assert path.stat().st_size <= limits.MAX_WORDS_SHARE * segment.row.bytes
        for number in (0, 17, ROWS - 1):
            for word in written[number]["attributes"]["text"].split():
                rows_found = found(segment, word, f"mark{number}")
                assert rows_found is None or number in rows_found
        absent = segment.rows_with(["absent"])
        assert absent is not None


def test_with_room_every_word_has_its_rows(tmp_path: Path) -> None:
    written = rows("prose")
    with open_store(tmp_path, max_words_share=1.0) as store:
        store.insert("spans", written)
        store.flush()
        [segment] = segments(store)
        wanted = [i for i in range(ROWS) if "word7" in written[i]["attributes"]["text"].split()]
        rows_found = found(segment, "word7")
        assert rows_found == wanted
        told = segment.rows_with(["word7", "mark17"])
        assert told is not None
        assert told.exact == {"word7": "attributes.text:str", "mark17": "attributes.mark:str"}
        assert found(segment, "word7", "word8", "absent") == []
        assert found(segment, "mark17") == [17]
        assert rows_found == sorted(set(rows_found))
        assert rows_found[-1] < ROWS
        assert found(segment, "text") == [], "a key is no word"
        assert segment.rows_with(["op"]) is None, "a word in every row has no list"


def test_without_room_blocks_of_rows_are_a_small_share(tmp_path: Path) -> None:
    written = rows("prose")
    with open_store(tmp_path, max_words_share=0.35) as store:
        store.insert("spans", written)
        store.flush()
        [segment] = segments(store)
        lists = [segment.rows_with([f"word{number}"]) for number in range(500)]
        by_block = [number for number, each in enumerate(lists) if each and not each.exact]
        for number in by_block:
            each = lists[number]
            assert each is not None
            wanted = {
                i
                for i in range(ROWS)
                if f"word{number}" in written[i]["attributes"]["text"].split()
            }
            assert wanted <= set(each.rows.tolist())
            assert len(each.rows) <= ROWS / 6


FLUSHES_AS_IT_ENDS = """
import atexit, sys
import tracestore
from data import processes
from data.stores import EVERY_WORD, span
store = tracestore.open(sys.argv[1], background=False, **EVERY_WORD)
store.insert("spans", [span(i) for i in range(100)])
atexit.register(store.close)
atexit.register(store.flush)
"""


def test_a_program_that_ends_writes_words_too(tmp_path: Path) -> None:
    """No thread can be begun then."""
    command = [sys.executable, "-P", "-c", FLUSHES_AS_IT_ENDS, str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes.run(command, env=env, check=True)
    assert len(words_files(tmp_path)) == 1


def test_a_word_of_several_columns_tells_none(tmp_path: Path) -> None:
    with open_store(tmp_path, **EVERY_WORD) as store:
        named = [span(i, name=f"n{i} both", attributes={"text": "both"}) for i in range(30)]
        store.insert("spans", [*named[:3], *(span(i) for i in range(3, 60))])
        store.flush()
        [segment] = segments(store)
        told = segment.rows_with(["both", "n1"])
        assert told is not None
        assert told.exact == {"both": None, "n1": "name"}
        with_bytes = segment.rows_with(["n2"])
        assert with_bytes is not None
        assert with_bytes.rows.tolist() == [2]


def found(segment: SegmentRef, *words: str) -> list[int] | None:
    rows = segment.rows_with(words)
    return None if rows is None else rows.rows.tolist()


def test_any_engine_reads_the_words(tmp_path: Path) -> None:
    with open_store(tmp_path, **EVERY_WORD) as store:
        store.insert("spans", [span(i, name=f"name n{i}") for i in range(30)])
        store.flush()
    [path] = words_files(tmp_path)
    table = pq.read_table(path)
    assert table.column_names == ["word", "column", "block_rows", "rows", "filter"]
    words = table["word"].to_pylist()
    assert words == sorted(words)
    [listed] = [row for row in table.to_pylist() if row["word"] == "n7"]
    assert (listed["block_rows"], decode_list(listed["rows"], 30).tolist()) == (1, [7])
    told = json.loads(pq.read_metadata(path).metadata[b"tracestore.words_columns"])
    assert told[listed["column"]] == "name"
    globbed = (tmp_path / "segments").rglob("*.parquet")
    assert [each.name for each in globbed] == [path.name.replace(".words", ".parquet")]


def test_small_segments_have_none_and_a_merge_makes_it(tmp_path: Path) -> None:
    written = rows("prose")
    with open_store(tmp_path) as store:
        for start in range(0, ROWS, ROWS // 4):
            store.insert("spans", written[start : start + ROWS // 4])
            store.flush()
        assert words_files(tmp_path) == []
        assert all(segment.rows_with(["word7"]) is None for segment in segments(store))
        store.compact(full=True)
        assert len(words_files(tmp_path)) == 1
        [segment] = segments(store)
        assert ROWS - 1 in (found(segment, f"mark{ROWS - 1}") or [])


def test_it_goes_with_its_segment(tmp_path: Path) -> None:
    with open_store(tmp_path, **EVERY_WORD) as store:
        for part in range(3):
            store.insert("spans", [span(part * 10 + i) for i in range(10)])
            store.flush()
        before = words_files(tmp_path)
        with store.snapshot():
            store.compact(full=True)
            assert set(before) < set(words_files(tmp_path)), "a snapshot may still read them"
        store.compact(full=True)
    with open_store(tmp_path) as store:
        assert len(words_files(tmp_path)) == 1
        assert store.check(deep=True).ok


@pytest.mark.parametrize("damage", ["missing", "empty", "first", "middle", "last", "another's"])
def test_damage_of_it_costs_no_row(tmp_path: Path, damage: str) -> None:
    with open_store(tmp_path, **EVERY_WORD) as store:
        for part in range(2):
            store.insert("spans", [span(part * 10 + i, name=f"n{part}x{i}") for i in range(10)])
            store.flush()
    path, other = words_files(tmp_path)
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "another's":
        path.write_bytes(other.read_bytes())
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        data[{"first": 40, "middle": len(data) // 3, "last": len(data) - 20}[damage]] ^= 0xFF
        path.write_bytes(bytes(data))
    with open_store(tmp_path, **EVERY_WORD) as store:
        assert span_ids(store) == expected_ids(range(20))
        first = min(segments(store), key=lambda segment: segment.min_time_ns)
        assert found(first, "n0x7") in (None, [7])
        faults = store.check(deep=True).faults
        assert [Path(fault.path).name for fault in faults] == [path.name]
        assert "the next merge writes it again" in faults[0].what
        store.compact(full=True)
        assert store.check(deep=True).ok
        [segment] = segments(store)
        assert found(segment, "n0x7") == [7]


def test_flipped_bytes_never_hide_a_row(tmp_path: Path) -> None:
    with open_store(tmp_path, **EVERY_WORD) as store:
        store.insert("spans", [span(i, name=f"needle{i % 50} hay") for i in range(400)])
        store.flush()
    [path] = words_files(tmp_path)
    sound = path.read_bytes()
    draw = random.Random(3)
    for position in sorted(draw.sample(range(len(sound)), 120)):
        damaged = bytearray(sound)
        damaged[position] ^= 1 << draw.randrange(8)
        path.write_bytes(bytes(damaged))
        with open_store(tmp_path, mode="r") as store:
            [segment] = segments(store)
            assert found(segment, "needle7") in (None, list(range(7, 400, 50)))


def test_a_store_of_before_is_read_and_gets_its_words_by_a_merge(tmp_path: Path) -> None:
    with open_store(tmp_path, min_words_rows=10**9) as store:
        for part in range(2):
            store.insert("spans", [span(part * 10 + i) for i in range(10)])
            store.flush()
    with open_store(tmp_path, **EVERY_WORD) as store:
        assert all(segment.rows_with(["op"]) is None for segment in segments(store))
        store.compact(full=True)
        assert len(words_files(tmp_path)) == 1
