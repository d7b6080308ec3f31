"""How a segment lies on disk: dictionaries of each row group's own, zstd where it saves."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.stores import span
from store.kit import open_store, segment_files
from tracestore import limits
from tracestore.segment.dictionaries import own_dictionaries
from tracestore.segment.encoding import choose_encodings


def test_a_row_group_holds_the_texts_of_its_own_rows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROW_GROUP_ROWS", 100)
    rng = random.Random(1)
    texts = [f"{rng.getrandbits(4000):x}" for _ in range(40)]  # 1,000 bytes, four to a row group
    rows = [
        span(n, input=texts[n // 25], tags=[texts[n // 25], str(n % 3), None if n % 2 else "x"])
        for n in range(1000)
    ]
    with open_store(tmp_path) as store:
        store.insert("spans", rows)
        store.flush()
    [path] = segment_files(tmp_path)
    metadata = pq.read_metadata(path)
    held = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    for group in held:
        for number in range(group.num_columns):
            assert group.column(number).total_uncompressed_size < 10_000
    assert pq.read_table(path)["input:str"].to_pylist() == [texts[n // 25] for n in range(1000)]


@pytest.mark.parametrize("shared", [False, True])
def test_a_row_group_ends_where_the_distinct_texts_of_a_column_are_many_and_its_halves_share_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, shared: bool
) -> None:
    monkeypatch.setattr(limits, "ROW_GROUP_DICTIONARY_BYTES", 40_000)
    rng = random.Random(2)
    texts = [f"{rng.getrandbits(4000):x}" for _ in range(100)]  # 1,000 bytes each
    order = [rng.randrange(100) if shared else n // 4 for n in range(400)]
    messages = [
        [{"role": "user", "content": texts[order[max(n - i, 0)]]} for i in range(3)]
        for n in range(400)
    ]
    with open_store(tmp_path) as store:
        store.insert("spans", [span(n, input={"messages": messages[n]}) for n in range(400)])
        store.flush()
    [path] = segment_files(tmp_path)
    metadata = pq.read_metadata(path)
    names = metadata.schema.to_arrow_schema().names
    at = names.index("input.messages:json[]")
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    if shared:
        assert len(groups) == 1
    else:
        assert 3 <= len(groups) <= 8
        assert all(group.column(at).total_uncompressed_size < 50_000 for group in groups)
    found = pq.read_table(path)["input.messages:json[]"].to_pylist()
    assert [[json.loads(item) for item in items] for items in found] == messages


@pytest.mark.parametrize("seed", range(20))
def test_values_stay_as_they_are(seed: int) -> None:
    rng = random.Random(seed)
    words = ["a", "b", "", "é", None, "c" * 30]
    flat = [rng.choice(words) for _ in range(50)]
    lists = [rng.choice([None, [], rng.choices(words, k=3)]) for _ in range(50)]
    table = pa.table(
        {
            "flat": pa.array(flat, pa.string()).dictionary_encode(),
            "lists": _list_of_dictionary(lists),
            "number": pa.array(range(50)),
        }
    )
    start, stop = sorted(rng.choices(range(51), k=2))
    part = table.slice(start, stop - start)
    own = own_dictionaries(part)
    own.validate(full=True)
    assert own.schema == part.schema
    assert own.to_pylist() == part.to_pylist()
    used = {text for text in flat[start:stop] if text is not None}
    assert sum(len(chunk.dictionary) for chunk in own["flat"].chunks) == len(used)


def _list_of_dictionary(lists: list[list[str | None] | None]) -> pa.Array:
    items = pa.array([item for each in lists for item in each or ()], pa.string())
    ends = np.cumsum([0, *(len(each or ()) for each in lists)])
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()),
        items.dictionary_encode(),
        mask=pa.array([each is None for each in lists]),
    )


def test_zstd_is_left_out_where_it_saves_little() -> None:
    rng = np.random.default_rng(2)
    rows = 50_000
    table = pa.table(
        {
            "tokens": pa.array(rng.integers(0, 2000, rows)),
            "mostly_one": pa.array(rng.choice([200, 404], rows, p=[0.98, 0.02])),
            "random": pa.array(rng.random(rows)),
            "truth": pa.array(rng.random(rows) < 0.5),
            "rare_truth": pa.array(rng.random(rows) < 0.01),
            "user": pa.array([f"user-{n}" for n in rng.integers(0, 3000, rows)]),
            "id": pa.array([f"{n:032x}" for n in rng.integers(0, 2**60, rows)]),
            "chat": pa.array([f"{'word ' * 60}{n % 1000}" for n in range(rows)]),
            "nothing": pa.nulls(rows, pa.string()),
            "lists": pa.array([[int(n), int(n) + 1] for n in rng.integers(0, 2000, rows)]),
        }
    )
    plan = choose_encodings(table)
    plain = {name for name, codec in plan.codecs.items() if codec == "none"}
    assert plain == {"tokens", "random", "truth", "user", "nothing", "lists.list.element"}
    assert set(plan.levels) == set(plan.codecs) - plain


@pytest.mark.parametrize(
    ("text_bytes", "values"), [(1, 8192), (32, 4096), (100, 1310), (50_000, 1024)]
)
@pytest.mark.parametrize("is_repeated", [False, True])
def test_what_is_encoded_at_once_fits_a_page(
    text_bytes: int, values: int, *, is_repeated: bool
) -> None:
    text = pa.array(["x" * text_bytes] * 10)
    column = text.dictionary_encode() if is_repeated else text
    plan = choose_encodings(pa.table({"number": list(range(10)), "text": column}))
    assert plan.batch_values == values
