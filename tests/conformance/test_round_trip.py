"""Every file of the shared corpus: shredded, stored, rebuilt, and the same values again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from data import shared
from kernels import check, observed, reference
from tracestore.variant import Shredder, unshred

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

# The twin is slow: it looks at this many bytes of a file; the round trip looks at all of it.
TWIN_BYTES = 1_500_000
# Rows of a builder, as a memtable would flush them.
BUILDER_BYTES = 48 * 1024 * 1024

LINES = shared.names("**/*.jsonl.zst") + shared.names("**/*.jsonl")
DOCUMENTS = [name for name in shared.names("**/*.json") if "JSONTestSuite" not in name]


def exact(text: bytes) -> str:
    """Returns a spelling of a JSON value that is equal for equal values, quickly made."""
    return json.dumps(json.loads(text), sort_keys=True)


def batches(data: bytes) -> Iterator[bytes]:
    """Yields whole lines, about BUILDER_BYTES at a time."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", min(start + BUILDER_BYTES, len(data) - 1)) + 1 or len(data)
        yield data[start:end]
        start = end


def round_trip(data: bytes, rows: list[bytes]) -> pa.Table:
    """Asserts that rows come back from memory and from Parquet; returns the table."""
    shredder = Shredder(table="json")
    report = shredder.append_json(data)
    assert report.rejected == []
    assert report.rows == len(rows)
    table = shredder.finish()
    wanted = [exact(row) for row in rows]
    found = unshred(table)
    assert [exact(line) for line in found.splitlines()] == wanted
    assert unshred(check.through_parquet(table)) == found
    return table


def agrees_with_twin(rows: list[bytes]) -> None:
    size = 0
    sample = []
    for row in rows:
        size += len(row)
        if size > TWIN_BYTES:
            break
        sample.append(row)
    table = check.shred_json(sample, **check.DENSE)
    assert observed.rows(table) == [reference.shred_json(row) for row in sample]


def lines(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if line.strip()]


@pytest.mark.parametrize("name", LINES)
def test_every_line_comes_back(name: str) -> None:
    data = shared.read(shared.require(name))
    for batch in batches(data):
        round_trip(batch, lines(batch))


@pytest.mark.parametrize("name", LINES)
def test_lines_agree_with_the_twin(name: str) -> None:
    agrees_with_twin(lines(shared.read(shared.require(name))))


def document(path: Path) -> bytes:
    data = path.read_bytes()
    if not shared.is_json(data):
        pytest.skip("no JSON document")
    return data


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_comes_back(name: str) -> None:
    data = document(shared.require(name))
    round_trip(data, [data])
    compact = json.dumps(json.loads(data), ensure_ascii=False).encode(errors="replace")
    agrees_with_twin([compact])


def test_our_own_rows_come_back() -> None:
    data = (shared.REPOSITORY / "tests" / "data" / "records.jsonl").read_bytes()
    round_trip(data, lines(data))
    agrees_with_twin(lines(data))


@pytest.mark.parametrize("options", [check.DENSE, check.DEFAULTS], ids=["columns", "defaults"])
def test_naughty_strings_come_back_as_keys_and_values(options: dict[str, Any]) -> None:
    strings = json.loads(shared.require("conformance/naughty-strings/blns.json").read_bytes())
    rows = [json.dumps({text: text, "list": [text, {text: 1}]}) for text in strings]
    check.json_rows(rows, **options)
    check.json_rows([json.dumps({text: text for text in strings})], **options)
