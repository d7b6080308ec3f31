"""Which row groups of a file may hold a text: what Parquet's bloom filters say, of which one block each is read.

A filter is a list of blocks of 32 bytes. The upper half of a text's XXH64 says which block is its own, the lower half
which eight bits of it are set.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from tracestore.variant import FILTER_PART_BYTES, FILTER_SALTS

_HEADER_BYTES: Final = 8
"""Bytes of a filter's header up to the end of its first field, the bytes of its blocks."""

_FIRST_FIELD: Final = 0x15
"""What begins the header: field 1, a 32-bit integer, in Thrift's compact form."""

_WORD: Final = (1 << 32) - 1
_LONG: Final = (1 << 64) - 1
_PRIMES: Final = (
    *(0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9),
    *(0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5),
)


@dataclass(frozen=True, slots=True)
class BloomFilters:
    """Where the bloom filters of one column lie in a file, one for each row group.

    Attributes:
        starts: of the blocks of each, in bytes from the beginning of the file.
        blocks: how many each has.
    """

    starts: tuple[int, ...]
    blocks: tuple[int, ...]

    def may_hold(self, descriptor: int, keys: Iterable[int]) -> bool:
        """Returns whether a row group of an open file may hold one of some texts, given by their keys."""
        for key in keys:
            mask = _mask(key)
            for start, blocks in zip(self.starts, self.blocks, strict=True):
                at = start + ((key >> 32) * blocks >> 32) * FILTER_PART_BYTES
                part = os.pread(descriptor, FILTER_PART_BYTES, at)
                # Of a file that was cut, its reader tells.
                is_cut = len(part) < FILTER_PART_BYTES
                if is_cut or int.from_bytes(part, "little") & mask == mask:
                    return True
        return False


def bloom_filters(path: Path, column: str) -> BloomFilters | None:
    """Returns the filters of a file's column, None where a row group has none.

    Raises:
        OSError, pyarrow.ArrowException: where the file cannot be read.
    """
    with pq.ParquetFile(path) as file, path.open("rb") as opened:
        places = [*_places(file.metadata, column)]
        found = [_filter_at(opened.fileno(), *place) for place in places]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    return BloomFilters(tuple(start for start, _ in known), tuple(blocks for _, blocks in known))


def _places(metadata: Any, column: str) -> Iterator[tuple[int | None, int | None]]:
    """Yields the offset and the bytes of each row group's filter."""
    names = metadata.schema.names
    if column not in names:
        yield None, None
        return
    at = names.index(column)
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(at)
        yield chunk.bloom_filter_offset, chunk.bloom_filter_length


def _filter_at(descriptor: int, offset: int | None, length: int | None) -> tuple[int, int] | None:
    """Returns where a filter's blocks begin and how many there are, None where there is no filter."""
    if offset is None or length is None:
        return None
    header = os.pread(descriptor, _HEADER_BYTES, offset)
    if not header or header[0] != _FIRST_FIELD:
        return None
    size_bytes = _zigzag(header[1:])
    if not 0 < size_bytes <= length or size_bytes % FILTER_PART_BYTES:
        return None
    return offset + length - size_bytes, size_bytes // FILTER_PART_BYTES


def _zigzag(data: bytes) -> int:
    """Returns the integer that bytes begin with, in Thrift's compact form."""
    value = 0
    for place, byte in enumerate(data):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    return (value >> 1) ^ -(value & 1)


def _mask(key: int) -> int:
    """Returns the eight bits of a block that are set for a text, by its key."""
    low = key & _WORD
    return sum(
        1 << (32 * word + ((low * salt & _WORD) >> 27)) for word, salt in enumerate(FILTER_SALTS)
    )


def key_of(text: str) -> int:
    """Returns the key by which filters know a text: the XXH64 of its bytes, of seed 0."""
    data = text.encode("utf-8", "surrogatepass")
    first, second, third, fourth, fifth = _PRIMES
    whole = len(data) - len(data) % 32
    if whole:
        lanes = [first + second, second, 0, -first]
        for at in range(0, whole, 32):
            lanes = [_round(lane, data, at + 8 * i) for i, lane in enumerate(lanes)]
        turned = zip(lanes, (1, 7, 12, 18), strict=True)
        key = sum(_turned(lane, bits) for lane, bits in turned) & _LONG
        for lane in lanes:
            key = (key ^ _mixed(0, lane)) * first + fourth & _LONG
    else:
        key = fifth
    key = key + len(data) & _LONG
    at = whole
    while at + 8 <= len(data):
        key = _turned(key ^ _round(0, data, at), 27) * first + fourth & _LONG
        at += 8
    if at + 4 <= len(data):
        key ^= int.from_bytes(data[at : at + 4], "little") * first & _LONG
        key = _turned(key, 23) * second + third & _LONG
        at += 4
    for byte in data[at:]:
        key = _turned(key ^ (byte * fifth & _LONG), 11) * first & _LONG
    key = (key ^ key >> 33) * second & _LONG
    key = (key ^ key >> 29) * third & _LONG
    return key ^ key >> 32


def _round(lane: int, data: bytes, at: int) -> int:
    return _mixed(lane, int.from_bytes(data[at : at + 8], "little"))


def _mixed(lane: int, value: int) -> int:
    return _turned(lane + value * _PRIMES[1] & _LONG, 31) * _PRIMES[0] & _LONG


def _turned(value: int, bits: int) -> int:
    value &= _LONG
    return (value << bits | value >> 64 - bits) & _LONG
