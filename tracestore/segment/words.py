"""Writes the words sidecar of a segment, within a share of its bytes. Specification: docs/format/words.md."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tracestore import limits
from tracestore.arrow_compute import pc
from tracestore.segment.footer import Footer
from tracestore.segment.tables import SegmentTable
from tracestore.variant import SEVERAL_COLUMNS, RowWords, encode_lists

WORDS_FORMAT: Final = 2
FORMAT_KEY: Final = "tracestore.words"
COLUMNS_KEY: Final = "tracestore.words_columns"

SCHEMA: Final = pa.schema(
    [
        ("word", pa.string()),
        ("column", pa.int32()),
        ("block_rows", pa.int32()),
        ("rows", pa.binary()),
        ("filter", pa.binary()),
    ]
)

# Bytes of a sidecar without a word: its schema and footer.
_EMPTY_BYTES: Final = 2048

# Bytes of the file for a byte of a word, and for each word beside that; measured on names, paths, prose and ids.
_BYTES_A_LETTER: Final = 0.6
_BYTES_A_WORD: Final = 3.0

# Columns that words are told to stand in: those of most words. Others count as several.
_MAX_COLUMNS: Final = 64

# A word of more rows than this is listed by blocks of rows: as large as leaves of all rows at most this share in blocks
# with the word, and at most so many rows. Numbers of blocks are nearer to each other and so take fewer bits. Where
# there is room, words of most rows are listed by row all the same: their rows need not be looked through.
_EXACT_ROWS: Final = 16
_BLOCKS_SHARE: Final = 1 / 6
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


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns that words stand in: their names, and the number of each word's only one, -1 where there is none."""

    names: tuple[str, ...]
    numbers: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class FoundWords:
    """The words of a table, whatever bytes they may take.

    Attributes:
        row_words: the rows of each.
        texts: the words.
        order: their numbers in the order of their bytes.
        columns: the columns that they stand in.
    """

    row_words: RowWords
    texts: pa.StringArray
    order: npt.NDArray[np.int64]
    columns: _Columns


def find_words(table: pa.Table, spec: SegmentTable) -> FoundWords:
    """Returns the words of a finished table."""
    row_words = RowWords(table, spec.spec)
    texts = row_words.texts()
    return FoundWords(row_words, texts, row_words.order(texts), _columns(row_words))


def encode_words(found: FoundWords, footer: Footer, max_bytes: int) -> bytes | None:
    """Returns the words sidecar of a table, None where it would take more bytes than it may."""
    if max_bytes <= _EMPTY_BYTES:
        return None
    row_words, texts, order, columns = found.row_words, found.texts, found.order, found.columns
    lengths = pc.binary_length(texts).to_numpy()
    blocks = _block_rows(row_words)
    content_bytes = max_bytes - _EMPTY_BYTES - sum(len(name) + 4 for name in columns.names)
    for choice in _choices(row_words, lengths, blocks, content_bytes):
        room = choice.room
        for _ in range(_TRIES):
            listed = _listed(row_words, choice, room)
            block_rows = _with_exact(row_words, choice, listed, blocks, room)
            encoded = _encoded(row_words, texts, order, choice, listed, block_rows, columns, footer)
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


def _columns(row_words: RowWords) -> _Columns:
    has_one = row_words.column_of < SEVERAL_COLUMNS
    counts = np.bincount(row_words.column_of[has_one], minlength=len(row_words.columns))
    chosen = np.argsort(-counts, kind="stable")[:_MAX_COLUMNS]
    chosen = np.sort(chosen[counts[chosen] > 0])
    numbers = np.full(SEVERAL_COLUMNS + 2, -1, np.int32)
    numbers[chosen] = np.arange(len(chosen))
    names = tuple(row_words.columns[number] for number in chosen.tolist())
    return _Columns(names, numbers[row_words.column_of])


def _list_bytes(
    entries: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Returns the bytes of lists of so many numbers, without their lengths."""
    mean = bounds / np.maximum(entries, 1)
    bits = np.floor(np.log2(np.maximum(mean, 1)))
    result: npt.NDArray[np.float64] = (entries * (1 + bits) + bounds / 2**bits) / 8 + 1
    return result


def _with_exact(
    row_words: RowWords,
    choice: _Choice,
    listed: npt.NDArray[np.bool_],
    block_rows: npt.NDArray[np.int32],
    room: float,
) -> npt.NDArray[np.int32]:
    """Returns the rows of a block by word: one for the words of most rows, as far as there is room."""
    counts = row_words.counts.astype(np.float64)
    by_blocks = np.flatnonzero(listed & (block_rows > 1))
    by_blocks = by_blocks[np.argsort(-counts[by_blocks], kind="stable")]
    rows = np.full(len(by_blocks), float(row_words.rows))
    more = _list_bytes(counts[by_blocks], rows) - choice.listed_bytes[by_blocks]
    left = room - choice.listed_bytes[listed].sum()
    result = block_rows.copy()
    result[by_blocks[np.cumsum(more) <= left]] = 1
    return result


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
    listed_bytes = _list_bytes(entries, blocks)
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
    columns: _Columns,
    footer: Footer,
) -> bytes:
    order = order[choice.named[order]]
    block_rows, listed = block_rows[order], listed[order]
    starts, blocks = row_words.blocks_of(order, np.where(listed, block_rows, 0))
    bounds = -(-row_words.rows // block_rows)
    numbers = columns.numbers[order]
    table = pa.table(
        [
            texts.take(pa.array(order)),
            pa.array(numbers, mask=numbers < 0),
            pa.array(block_rows),
            encode_lists(starts, blocks, bounds, listed),
            pa.nulls(len(order), pa.binary()),
        ],
        schema=SCHEMA,
    )
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        SCHEMA,
        version="2.6",
        compression={
            "word": "zstd",
            "column": "zstd",
            "block_rows": "zstd",
            "rows": "none",
            "filter": "none",
        },
        compression_level={"word": 1, "column": 1, "block_rows": 1},
        use_dictionary=False,
        column_encoding={
            "word": "DELTA_BYTE_ARRAY",
            "column": "DELTA_BINARY_PACKED",
            "block_rows": "DELTA_BINARY_PACKED",
            "rows": "DELTA_LENGTH_BYTE_ARRAY",
            "filter": "PLAIN",
        },
        write_statistics=["word"],
        write_page_checksum=True,
        store_schema=False,
    ) as writer:
        for start, stop in _groups(starts):
            writer.write_table(table.slice(start, stop - start))
        if choice.filtered.any():
            writer.write_table(_filters(row_words, choice.filtered))
        told = {FORMAT_KEY: str(WORDS_FORMAT), COLUMNS_KEY: json.dumps(columns.names)}
        writer.add_key_value_metadata({**footer.encode(), **told})
    return sink.getvalue()


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


def _filters(row_words: RowWords, filtered: npt.NDArray[np.bool_]) -> pa.Table:
    block = limits.WORDS_FILTER_ROWS
    filters = row_words.filters(filtered, block, limits.WORDS_FILTER_BITS)
    columns = [
        pa.nulls(len(filters), pa.string()),
        pa.nulls(len(filters), pa.int32()),
        pa.array([block] * len(filters), pa.int32()),
        pa.nulls(len(filters), pa.binary()),
        filters,
    ]
    return pa.table(columns, schema=SCHEMA)
