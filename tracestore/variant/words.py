"""The words of texts: which a text has, which of some stand in each text of a column, and in which rows each stands."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore import _native
from tracestore.arrow_compute import pc
from tracestore.variant.paths import parse_leaf_name
from tracestore.variant.tables import OVERFLOW, TableSpec

SEARCHED_COLUMNS: Final = ("name", "status_message", "severity_text", "event_name")
"""Fixed columns whose texts a search of a whole row looks at, beside its variants."""

FILTER_PART_BYTES: Final = 32
"""Bytes of one part of a filter: a word sets a bit in each of its eight 32-bit words."""

FILTER_SALTS: Final = (
    *(0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D),
    *(0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31),
)
"""What the specification of Parquet's bloom filters multiplies with, for each of a part's eight words."""

_JSON_OF_TYPE: Final = {"str": False, "str[]": False, "json": True, "json[]": True}
# Stands for the size of the blocks of a word that has no list.
_NOT_LISTED: Final = 255
_BINARY: Final = frozenset({"bin", "bin[]"})

Rows = npt.NDArray[np.int32]

SEVERAL_COLUMNS: Final = 0xFFFE
"""From here on a number stands for no column: of a word that stands in several, or in none."""


def words(text: str) -> list[str]:
    """Returns the words of a text in one case, in order: cut as Unicode cuts them (UAX 29)."""
    return [word.decode() for word in _native.words(text.encode(errors="replace"))]


def find_words(texts: pa.Array, wanted: Sequence[str], *, of_json: bool) -> pa.Array:
    """Returns for each text which words stand in it, as 64 bits: the first word is the lowest.

    Args:
        texts: a column of strings; a null holds no word.
        wanted: at most 64 words in one case, as `words` gives them.
        of_json: whether the texts are JSON, of which strings, numbers and booleans count, and keys do not.
    """
    column = texts.cast(pa.string()).fill_null("")
    found = np.zeros(len(column), np.uint64)
    if len(column):
        offsets, data = _buffers(column)
        encoded = tuple(word.encode() for word in wanted)
        _native.find_words(offsets, data, encoded, found, of_json=of_json)
    return pa.array(found)


def encode_lists(
    starts: npt.NDArray[np.int64],
    values: Rows,
    bounds: Rows,
    present: npt.NDArray[np.bool_],
) -> pa.Array:
    """Returns lists of ascending numbers as bytes: docs/format/words.md, "Lists".

    Args:
        starts: where each list begins in `values`, and where the last one ends.
        values: the numbers of all lists.
        bounds: what the numbers of each are less than.
        present: which lists there are; others are null, and have no numbers.
    """
    sizes = np.zeros(len(bounds), np.int64)
    _native.list_sizes(starts, bounds, sizes)
    places = np.zeros(len(bounds) + 1, np.int64)
    np.cumsum(sizes, out=places[1:])
    data = np.zeros(int(places[-1]), np.uint8)
    _native.write_lists(starts, values, bounds, places, data)
    validity = pa.array(present).buffers()[1]
    offsets = pa.py_buffer(places.astype(np.int32))
    return pa.Array.from_buffers(pa.binary(), len(bounds), [validity, offsets, pa.py_buffer(data)])


def decode_list(data: bytes, bound: int) -> npt.NDArray[np.int64]:
    """Returns the numbers of a list, each less than a bound.

    Raises:
        ValueError: where the bytes are no such list.
    """
    count, at = _varint(data)
    if not 0 < count <= bound:
        raise ValueError(f"unexpected length of a list; got {count}; want 1 to {bound}")
    bits = max((bound // count).bit_length() - 1, 0)
    high_bytes = (count + (bound >> bits) + 7) // 8
    low_bytes = (count * bits + 7) // 8
    if len(data) != at + high_bytes + low_bytes:
        raise ValueError(f"unexpected size of a list of {count} numbers; got {len(data)} bytes")
    highs = np.frombuffer(data, np.uint8, high_bytes, at)
    ones = np.flatnonzero(np.unpackbits(highs, bitorder="little"))
    if len(ones) != count:
        raise ValueError(f"unexpected numbers in a list; got {len(ones)}; want {count}")
    values = (ones - np.arange(count)) << bits
    if bits:
        lows = np.frombuffer(data, np.uint8, low_bytes, at + high_bytes)
        every = np.unpackbits(lows, count=count * bits, bitorder="little").reshape(count, bits)
        for bit in range(bits):
            values |= every[:, bit].astype(np.int64) << bit
    if values[-1] >= bound or bool(np.any(values[1:] <= values[:-1])):
        raise ValueError("a list is not ascending within its bound")
    return values


def _varint(data: bytes) -> tuple[int, int]:
    """Returns a number of seven bits a byte, the lowest first, and where it ends."""
    value = 0
    for at, byte in enumerate(data[:5]):
        value |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            return value, at + 1
    raise ValueError("a list has no length")


class RowWords:
    """The words of a table's rows, and the rows of each. The first word is the empty one: its rows may hold any.

    Words stand in the searched columns, in leaves of texts and JSON, and in `_overflow`. Those of numbers and
    booleans that have leaves of their own are left out, and rows with bytes may hold any word.
    """

    def __init__(self, table: pa.Table, spec: TableSpec) -> None:
        self.rows = len(table)
        self.columns: list[str] = []
        """The columns that words stand in."""
        self._index = _native.WordIndex(self.rows, secrets.randbits(64))
        # Numbers of the first texts of dictionaries, by where these lie; they are held, so that no other lies there.
        self._first_of: dict[tuple[int, int, int], int] = {}
        self._held: list[pa.Array] = []
        for name, column in zip(table.column_names, table.columns, strict=True):
            if name in spec.columns:
                if name in SEARCHED_COLUMNS:
                    self._add(name, column, of_json=False)
                continue
            leaf_type = "json" if name == OVERFLOW else parse_leaf_name(name)[1]
            if leaf_type in _JSON_OF_TYPE:
                self._add(name, column, of_json=_JSON_OF_TYPE[leaf_type])
            elif leaf_type in _BINARY:
                self._index.add_any(_present(column))
        self.counts: npt.NDArray[np.uint64] = np.zeros(self._index.words, np.uint64)
        """In how many rows each word stands."""
        _native.count_rows(self._index, self.counts)
        self.column_of: npt.NDArray[np.uint16] = np.zeros(self._index.words, np.uint16)
        """The number of the one column that each word stands in, `SEVERAL_COLUMNS` or more where there is no one."""
        self._index.write_columns(self.column_of)
        self._first_of.clear()
        self._held.clear()

    def texts(self) -> pa.Array:
        """Returns the words."""
        offsets = np.zeros(self._index.words + 1, np.int32)
        data = np.zeros(self._index.word_bytes, np.uint8)
        self._index.write_words(offsets, data)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.string(), self._index.words, buffers)

    def order(self, texts: pa.Array) -> npt.NDArray[np.int64]:
        """Returns the numbers of the words in the order of their bytes, given `texts()`."""
        prefixes = np.zeros(self._index.words, np.uint64)
        self._index.write_prefixes(prefixes)
        order = np.argsort(prefixes)
        in_order = prefixes[order]
        same = in_order[1:] == in_order[:-1]
        is_tied = np.zeros(len(order), np.bool_)
        is_tied[1:] |= same
        is_tied[:-1] |= same
        tied = np.flatnonzero(is_tied)
        # By their bytes words come in the order of their prefixes, too: each takes a place of its own prefix.
        among = order[tied]
        by_bytes = pc.sort_indices(texts.take(pa.array(among)).cast(pa.binary())).to_numpy()
        order[tied] = among[by_bytes]
        return order

    def blocks_of(
        self, order: npt.NDArray[np.int64], block_rows: Rows
    ) -> tuple[npt.NDArray[np.int64], Rows]:
        """Returns where the blocks of each word begin, in an order of words, and these blocks.

        Args:
            order: numbers of words.
            block_rows: the rows of a block of each of these, a power of two; 0 for a word that has no list.
        """
        is_listed = block_rows > 0
        shifts = np.full(len(order), _NOT_LISTED, np.uint8)
        shifts[is_listed] = np.log2(block_rows[is_listed])
        starts = np.zeros(len(order) + 1, np.int64)
        blocks = np.empty(int(self.counts[order[is_listed]].sum()), np.int32)
        _native.write_blocks(self._index, order, shifts, starts, blocks)
        return starts, blocks[: int(starts[-1])]

    def filters(
        self, chosen: npt.NDArray[np.bool_], block_rows: int, bits_a_word: int
    ) -> list[bytes]:
        """Returns a filter of the chosen words for each block of rows."""
        blocks = -(-self.rows // block_rows)
        counts = np.zeros(blocks, np.uint64)
        _native.count_blocks(self._index, chosen.view(np.uint8), block_rows, counts)
        part_bits = FILTER_PART_BYTES * 8
        sizes = np.maximum(1, -(-counts.astype(np.int64) * bits_a_word // part_bits))
        bits = np.zeros(int(sizes.sum()) * part_bits // 32, np.uint32)
        _native.write_filters(self._index, chosen.view(np.uint8), block_rows, sizes, bits)
        ends = np.cumsum(sizes * (part_bits // 32))
        return [part.tobytes() for part in np.split(bits, ends[:-1])]

    def _add(self, name: str, column: pa.ChunkedArray, *, of_json: bool) -> None:
        first_row = 0
        self.columns.append(name)
        # Texts of one dictionary are cut once.
        for chunk in column.unify_dictionaries().chunks if column.num_chunks > 1 else column.chunks:
            rows = np.arange(first_row, first_row + len(chunk), dtype=np.int32)
            first_row += len(chunk)
            texts = chunk
            if pa.types.is_list(chunk.type):
                rows = np.repeat(rows, pc.list_value_length(chunk).fill_null(0).to_numpy())
                texts = chunk.flatten()
            self._add_texts(texts, rows, of_json=of_json)

    def _add_texts(self, texts: pa.Array, rows: Rows, *, of_json: bool) -> None:
        is_coded = pa.types.is_dictionary(texts.type)
        distinct = texts.dictionary if is_coded else texts
        first = self._first_of.get(_place(distinct)) if is_coded else None
        if first is None:
            offsets, data = _buffers(distinct.cast(pa.string()))
            first = self._index.add_texts(offsets, data, of_json=of_json)
            if is_coded:
                self._first_of[_place(distinct)] = first
                self._held.append(distinct)
        numbers = (
            texts.indices.fill_null(-1).to_numpy().astype(np.int32, copy=False)
            if is_coded
            else np.arange(len(texts), dtype=np.int32)
        )
        if texts.null_count:
            valid = texts.is_valid().to_numpy(zero_copy_only=False)
            rows, numbers = rows[valid], numbers[valid]
        number = min(len(self.columns), SEVERAL_COLUMNS) - 1
        rows, numbers = np.ascontiguousarray(rows), np.ascontiguousarray(numbers)
        self._index.add_rows(rows, numbers, first, number)


def may_be_in_filter(bits: npt.NDArray[np.uint32], word: str) -> bool:
    """Returns whether a filter may hold a word: false only where it was not added."""
    hashed = _native.filter_hash(word.encode())
    parts = len(bits) // 8
    part = ((hashed >> 32) * parts) >> 32
    key = hashed & 0xFFFFFFFF
    masks = [1 << (((key * salt) & 0xFFFFFFFF) >> 27) for salt in FILTER_SALTS]
    held = bits[8 * part : 8 * part + 8].tolist()
    return parts > 0 and all(word & mask for word, mask in zip(held, masks, strict=True))


def _buffers(texts: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Returns where each text begins in the bytes of a column, and these bytes."""
    _, offsets, data = texts.buffers()
    if len(texts) == 0 or offsets is None:
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return places, np.frombuffer(data or b"", np.uint8)


def _place(texts: pa.Array) -> tuple[int, int, int]:
    """Returns where a column of texts lies in memory."""
    data = texts.buffers()[2]
    return (0 if data is None else data.address), texts.offset, len(texts)


def _present(column: pa.ChunkedArray) -> Rows:
    """Returns the numbers of the rows that have a value."""
    return np.flatnonzero(column.is_valid().to_numpy()).astype(np.int32)
