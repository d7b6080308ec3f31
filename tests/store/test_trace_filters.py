"""A segment whose bloom filters do not know a trace has none of its rows, and most segments without it are known."""

from __future__ import annotations

import os
import random
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tracestore.segment.bloom import bloom_filters, key_of

ROWS = 3_000
GROUP_ROWS = 1_000


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", 0xEF46DB3751D8E999),
        ("a", 0xD24EC4F1A98C6E5B),
        ("abc", 0x44BC2CF5AD770999),
    ],
)
def test_a_key_is_the_xxh64_of_the_text(text: str, key: int) -> None:
    assert key_of(text) == key


def texts_of(seed: int, count: int) -> list[str]:
    """Returns texts of every length up to 80, most of them trace ids."""
    chance = random.Random(seed)
    lengths = [chance.choice([32, 32, 32, chance.randrange(1, 80)]) for _ in range(count)]
    return [f"{chance.getrandbits(4 * length):0{length}x}" for length in lengths]


def test_filters_know_every_text_of_their_file_and_few_others(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    held, others = texts_of(1, ROWS), sorted({*texts_of(2, ROWS)} - {*texts_of(1, ROWS)})
    options = {"trace_id": {"ndv": GROUP_ROWS, "fpp": 0.02}}
    table = pa.table({"n": range(ROWS), "trace_id": held})
    pq.write_table(table, file, row_group_size=GROUP_ROWS, bloom_filter_options=options)
    filters = bloom_filters(file, "trace_id")
    assert filters is not None
    assert len(filters.starts) == ROWS // GROUP_ROWS
    descriptor = os.open(file, os.O_RDONLY)
    try:
        assert all(filters.may_hold(descriptor, [key_of(text)]) for text in held)
        wrong = sum(filters.may_hold(descriptor, [key_of(text)]) for text in others)
        assert wrong < len(others) * 0.2
        # The engine's own reader finds the same, text by text.
        for text in (*held[:50], *others[:200]):
            probed = duckdb.execute(
                "SELECT bool_or(NOT bloom_filter_excludes) FROM parquet_bloom_probe(?, 'trace_id', ?)",
                [str(file), text],
            ).fetchone()
            assert probed == (filters.may_hold(descriptor, [key_of(text)]),)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("column", ["n", "absent"])
def test_a_column_without_filters_has_none(tmp_path: Path, column: str) -> None:
    pq.write_table(pa.table({"n": [1]}), tmp_path / "rows.parquet")
    assert bloom_filters(tmp_path / "rows.parquet", column) is None
