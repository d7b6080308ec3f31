"""Writes the words sidecar of a segment, within a share of its bytes. Specification: docs/format/words.md."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tracestore import limits
from tracestore.segment.footer import Footer
from tracestore.segment.tables import SegmentTable
from tracestore.variant import RowWords

WORDS_FORMAT: Final = 1
FORMAT_KEY: Final = "tracestore.words"

SCHEMA: Final = pa.schema(
    [
        ("word", pa.string()),
        ("block_rows", pa.int32()),
        ("blocks", pa.list_(pa.int32())),
        ("filter", pa.binary()),
    ]
)

# Bytes of a sidecar without a word: its schema and footer.
_EMPTY_BYTES: Final = 2048

# Bytes of the file for a byte of a word, and for each word beside that; measured on names, paths, prose and ids.
_BYTES_A_LETTER: Final = 0.6
_BYTES_A_WORD: Final = 3.0

# Bits of a number beside those of the mean distance to the one before it: the widest of 32 decides the width of all.
_BITS_BESIDE: Final = 3.8

# A word of more rows than this is listed by blocks of rows: as large as leaves of all rows at most this share in blocks
# with the word, and at most so many rows. Numbers of blocks are nearer to each other and so take fewer bits: with
# 12 words a row, drawn as often as in a language, the lists take 18 % of the segment instead of 28 %.
_EXACT_ROWS: Final = 16
_BLOCKS_SHARE: Final = 1 / 8
_MAX_BLOCK_ROWS: Final = 256

# How often the lists are written, each time with less room by what was too much, and some more: estimates are rough.
_TRIES: Final = 3
_OVERSHOOT: Final = 1.15

# Words of at most so many rows are in filters instead of lists: none, and where that is too much, those of one or few.
_FILTERED_ROWS: Final = (0, 1, 8)


@dataclass(frozen=True, slots=True)
class _Choice:
    """The words that are in the file.

    Attributes:
        named: whether each stands in it, with a list of its blocks where there is room.
        filtered: whether each is in filters.
        listed_bytes: what each list takes, by its estimate.
        room: bytes for all lists.
    """

    named: npt.NDArray[np.bool_]
    filtered: npt.NDArray[np.bool_]
    listed_bytes: npt.NDArray[np.float64]
    room: float


def encode_words(
    table: pa.Table, spec: SegmentTable, footer: Footer, max_bytes: int
) -> bytes | None:
    """Returns the words sidecar of a finished table, None where it would take more bytes than it may."""
    if max_bytes <= _EMPTY_BYTES:
        return None
    row_words = RowWords(table, spec.spec)
    texts = row_words.texts()
    order = row_words.order(texts)
    lengths = pc.binary_length(texts).to_numpy()
    blocks = _block_rows(row_words)
    for choice in _choices(row_words, lengths, blocks, max_bytes - _EMPTY_BYTES):
        room = choice.room
        for _ in range(_TRIES):
            listed = _listed(row_words, choice, room)
            encoded = _encoded(row_words, texts, order, choice, listed, blocks, footer)
            if len(encoded) <= max_bytes:
                return encoded
            room = max(room - (len(encoded) - max_bytes) * _OVERSHOOT, 0)
    return None


def _block_rows(row_words: RowWords) -> npt.NDArray[np.int32]:
    """Returns for each word how many rows each entry of its list stands for: a power of two."""
    counts = np.maximum(row_words.counts.astype(np.float64), 1)
    wanted = np.clip(_BLOCKS_SHARE * row_words.rows / counts, 1, _MAX_BLOCK_ROWS)
    powers = (2 ** np.floor(np.log2(wanted))).astype(np.int32)
    return np.where(row_words.counts > _EXACT_ROWS, powers, 1).astype(np.int32)


def _choices(
    row_words: RowWords,
    lengths: npt.NDArray[np.int32],
    block_rows: npt.NDArray[np.int32],
    max_bytes: int,
) -> Iterator[_Choice]:
    """Yields what may be written, the best first: a later one takes less room by its estimate."""
    counts = row_words.counts.astype(np.float64)
    named_bytes = _BYTES_A_LETTER * lengths + _BYTES_A_WORD
    blocks = np.maximum(row_words.rows / block_rows, 1)
    entries = np.minimum(counts, blocks)
    listed_bytes = entries * (np.log2(blocks / np.maximum(entries, 1)) + _BITS_BESIDE) / 8
    filter_bytes = counts * limits.WORDS_FILTER_BITS / 8
    present = counts > 0
    for bound in (*_FILTERED_ROWS, np.inf):
        filtered = present & (counts <= bound)
        # The rows of the empty word may hold any.
        filtered[0] = False
        named = present & ~filtered
        room = max_bytes - filter_bytes[filtered].sum() - named_bytes[named].sum()
        short = named & (counts <= limits.MIN_LEAF_ROWS)
        if room >= listed_bytes[short].sum():
            yield _Choice(named, filtered, listed_bytes, room)
        elif np.isinf(bound):
            return


def _listed(row_words: RowWords, choice: _Choice, room: float) -> npt.NDArray[np.bool_]:
    """Returns the words whose rows are listed: those of the fewest rows first, while there is room."""
    counts = row_words.counts
    listable = choice.named & (counts <= max(row_words.rows * limits.MAX_LISTED_ROWS_SHARE, 1))
    order = np.argsort(np.where(listable, counts, np.iinfo(np.uint64).max), kind="stable")
    order = order[: int(listable.sum())]
    fits = (np.cumsum(choice.listed_bytes[order]) <= room) & (
        np.cumsum(counts[order]) <= limits.MAX_LISTED_ROWS
    )
    listed = np.zeros(len(counts), np.bool_)
    listed[order[fits]] = True
    return listed


def _encoded(
    row_words: RowWords,
    texts: pa.StringArray,
    order: npt.NDArray[np.int64],
    choice: _Choice,
    listed: npt.NDArray[np.bool_],
    block_rows: npt.NDArray[np.int32],
    footer: Footer,
) -> bytes:
    order = order[choice.named[order]]
    lists = _lists(*row_words.rows_of(listed, order), block_rows[order])
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        SCHEMA,
        version="2.6",
        compression={
            "word": "zstd",
            "block_rows": "zstd",
            "blocks.list.element": "zstd",
            "filter": "none",
        },
        compression_level={"word": 1, "block_rows": 1, "blocks.list.element": 1},
        use_dictionary=False,
        column_encoding={
            "word": "DELTA_BYTE_ARRAY",
            "block_rows": "DELTA_BINARY_PACKED",
            "blocks.list.element": "DELTA_BINARY_PACKED",
            "filter": "PLAIN",
        },
        write_statistics=["word"],
        write_page_checksum=True,
        store_schema=False,
    ) as writer:
        words = texts.take(pa.array(order))
        is_unlisted = pa.array(~listed[order])
        for start, stop in _groups(lists.starts):
            writer.write_table(_group(words, is_unlisted, lists, start, stop))
        if choice.filtered.any():
            writer.write_table(_filters(row_words, choice.filtered))
        writer.add_key_value_metadata({**footer.encode(), FORMAT_KEY: str(WORDS_FORMAT)})
    return sink.getvalue()


@dataclass(frozen=True, slots=True)
class _Lists:
    """The blocks of each word in one run: where it begins, and rows of a block, by word."""

    starts: npt.NDArray[np.int64]
    blocks: npt.NDArray[np.int32]
    block_rows: npt.NDArray[np.int32]


def _lists(
    starts: npt.NDArray[np.int64], rows: npt.NDArray[np.int32], block_rows: npt.NDArray[np.int32]
) -> _Lists:
    """Returns the blocks that the rows of each word are in, each once."""
    lengths = np.diff(starts)
    blocks = rows // np.repeat(block_rows, lengths)
    is_first = np.ones(len(blocks), np.bool_)
    is_first[1:] = blocks[1:] != blocks[:-1]
    is_first[starts[:-1][lengths > 0]] = True
    counted = np.zeros(len(blocks) + 1, np.int32)
    np.cumsum(is_first, dtype=np.int32, out=counted[1:])
    return _Lists(counted[starts].astype(np.int64), blocks[is_first], block_rows)


def _groups(starts: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yields half-open ranges of words: each within the bounds of a row group, one word at least."""
    words = len(starts) - 1
    start = 0
    while start < words:
        full = int(
            np.searchsorted(starts, starts[start] + limits.WORDS_ROW_GROUP_ENTRIES, side="right")
        )
        stop = min(max(full - 1, start + 1), start + limits.WORDS_ROW_GROUP_WORDS, words)
        yield start, stop
        start = stop


def _group(
    words: pa.StringArray,
    is_unlisted: pa.BooleanArray,
    lists: _Lists,
    start: int,
    stop: int,
) -> pa.Table:
    first, last = int(lists.starts[start]), int(lists.starts[stop])
    blocks = pa.ListArray.from_arrays(
        pa.array((lists.starts[start : stop + 1] - first).astype(np.int32)),
        pa.array(lists.blocks[first:last]),
        mask=is_unlisted.slice(start, stop - start),
    )
    count = stop - start
    columns = [
        words.slice(start, count),
        pa.array(lists.block_rows[start:stop]),
        blocks,
        pa.nulls(count, pa.binary()),
    ]
    return pa.table(columns, schema=SCHEMA)


def _filters(row_words: RowWords, filtered: npt.NDArray[np.bool_]) -> pa.Table:
    block = limits.WORDS_FILTER_ROWS
    filters = row_words.filters(filtered, block, limits.WORDS_FILTER_BITS)
    columns = [
        pa.nulls(len(filters), pa.string()),
        pa.array([block] * len(filters), pa.int32()),
        [[number] for number in range(len(filters))],
        filters,
    ]
    return pa.table(columns, schema=SCHEMA)
