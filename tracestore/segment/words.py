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
    [("word", pa.string()), ("rows", pa.list_(pa.int32())), ("filter", pa.binary())]
)

# Bytes of a sidecar without a word: its schema and footer.
_EMPTY_BYTES: Final = 2048

# Bytes of the file for a byte of a word, and for each word beside that; measured on names, paths, prose and ids.
_BYTES_A_LETTER: Final = 0.6
_BYTES_A_WORD: Final = 3.0

# Bits of a row number beside those of the distance to the one before it.
_BITS_BESIDE: Final = 2.0

# Words of at most so many rows are in filters instead of lists: none, and where that is too much, those of one or few.
_FILTERED_ROWS: Final = (0, 1, 8)


@dataclass(frozen=True, slots=True)
class _Choice:
    """The words that are in the file, those with a list of their rows, and those in filters: a mask of each."""

    named: npt.NDArray[np.bool_]
    listed: npt.NDArray[np.bool_]
    filtered: npt.NDArray[np.bool_]


def encode_words(
    table: pa.Table, spec: SegmentTable, footer: Footer, max_bytes: int
) -> bytes | None:
    """Returns the words sidecar of a finished table, None where it would take more bytes than it may."""
    if max_bytes <= _EMPTY_BYTES:
        return None
    row_words = RowWords(table, spec.spec)
    texts = row_words.texts()
    order = pc.sort_indices(texts.cast(pa.binary())).to_numpy().astype(np.int64)
    lengths = pc.binary_length(texts).to_numpy()
    for choice in _choices(row_words, lengths, max_bytes - _EMPTY_BYTES):
        encoded = _encoded(row_words, texts, order, choice, footer)
        if len(encoded) <= max_bytes:
            return encoded
    return None


def _choices(
    row_words: RowWords, lengths: npt.NDArray[np.int32], max_bytes: int
) -> Iterator[_Choice]:
    """Yields what may be written, the best first: a later one takes less room by its estimate."""
    counts = row_words.counts.astype(np.float64)
    named_bytes = _BYTES_A_LETTER * lengths + _BYTES_A_WORD
    gaps = np.log2(np.maximum(row_words.rows, 1) / np.maximum(counts, 1))
    listed_bytes = counts * (gaps + _BITS_BESIDE) / 8
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
            for share in (1.0, 0.7):
                yield _Choice(
                    named, _listed(row_words, named, listed_bytes, room * share), filtered
                )
        elif np.isinf(bound):
            return


def _listed(
    row_words: RowWords,
    named: npt.NDArray[np.bool_],
    listed_bytes: npt.NDArray[np.float64],
    room: float,
) -> npt.NDArray[np.bool_]:
    """Returns the words whose rows are listed: those of the fewest rows first, while there is room."""
    counts = row_words.counts
    listable = named & (counts <= max(row_words.rows * limits.MAX_LISTED_ROWS_SHARE, 1))
    order = np.argsort(np.where(listable, counts, np.iinfo(np.uint64).max), kind="stable")
    order = order[: int(listable.sum())]
    fits = (np.cumsum(listed_bytes[order]) <= room) & (
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
    footer: Footer,
) -> bytes:
    order = order[choice.named[order]]
    starts, rows = row_words.rows_of(choice.listed, order)
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        SCHEMA,
        version="2.6",
        compression={"word": "zstd", "rows.list.element": "zstd", "filter": "none"},
        compression_level={"word": 1, "rows.list.element": 1},
        use_dictionary=False,
        column_encoding={
            "word": "DELTA_BYTE_ARRAY",
            "rows.list.element": "DELTA_BINARY_PACKED",
            "filter": "PLAIN",
        },
        write_statistics=["word"],
        write_page_checksum=True,
        store_schema=False,
    ) as writer:
        words = texts.take(pa.array(order))
        is_unlisted = pa.array(~choice.listed[order])
        for start, stop in _groups(starts):
            writer.write_table(_group(words, is_unlisted, starts, rows, start, stop))
        if choice.filtered.any():
            writer.write_table(_filters(row_words, choice.filtered))
        writer.add_key_value_metadata({**footer.encode(), FORMAT_KEY: str(WORDS_FORMAT)})
    return sink.getvalue()


def _groups(starts: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yields half-open ranges of words: each within the bounds of a row group, one word at least."""
    words = len(starts) - 1
    start = 0
    while start < words:
        full = int(
            np.searchsorted(starts, starts[start] + limits.WORDS_ROW_GROUP_ROWS, side="right")
        )
        stop = min(max(full - 1, start + 1), start + limits.WORDS_ROW_GROUP_WORDS, words)
        yield start, stop
        start = stop


def _group(
    words: pa.StringArray,
    is_unlisted: pa.BooleanArray,
    starts: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int32],
    start: int,
    stop: int,
) -> pa.Table:
    first, last = int(starts[start]), int(starts[stop])
    lists = pa.ListArray.from_arrays(
        pa.array((starts[start : stop + 1] - first).astype(np.int32)),
        pa.array(rows[first:last]),
        mask=is_unlisted.slice(start, stop - start),
    )
    count = stop - start
    return pa.table([words.slice(start, count), lists, pa.nulls(count, pa.binary())], schema=SCHEMA)


def _filters(row_words: RowWords, filtered: npt.NDArray[np.bool_]) -> pa.Table:
    block = limits.WORDS_FILTER_ROWS
    filters = row_words.filters(filtered, block, limits.WORDS_FILTER_BITS)
    ranges = [
        [number * block, min((number + 1) * block, row_words.rows)]
        for number in range(len(filters))
    ]
    return pa.table([pa.nulls(len(filters), pa.string()), ranges, filters], schema=SCHEMA)
