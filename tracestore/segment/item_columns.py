"""Which item columns a segment gets: few bytes of what the items of its lists of objects hold, beside the lists.

Specification: docs/format/segment.md, "Item columns".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from tracestore import limits
from tracestore.arrow_compute import pc
from tracestore.variant import (
    ITEM_LIST,
    ITEM_TEXTS,
    ItemTexts,
    is_item_column,
    item_path,
    item_texts,
)

_LIST_SUFFIX: Final = f":{ITEM_LIST}"

# What compression leaves of texts and of other values, about: enough to compare a few bytes with many.
_TEXT_LEFT: Final = 1 / 3
_OTHER_LEFT: Final = 1 / 2

# Bits that the levels of a list's items take.
_LEVEL_BITS: Final = 2


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A key of a list's items that may get a column.

    Attributes:
        name: of the column.
        bytes: what it would cost, about.
        texts: the items.
        key: the key.
    """

    name: str
    bytes: float
    texts: ItemTexts
    key: str


def with_item_columns(table: pa.Table, max_share: float) -> pa.Table:
    """Returns a table with its item columns behind the others: the cheapest ones within a share of its bytes."""
    lists = [name for name in table.column_names if name.endswith(_LIST_SUFFIX)]
    if not lists or max_share <= 0:
        return table
    room = sum(_stored_bytes(column) for column in table.columns) * max_share
    candidates = [
        candidate for name in lists for candidate in _candidates(name, table.column(name))
    ]
    for candidate in sorted(candidates, key=lambda each: (each.bytes, each.name)):
        room -= candidate.bytes
        if room < 0:
            break
        table = table.append_column(candidate.name, candidate.texts.column(candidate.key))
    return table


def item_columns(names: list[str]) -> list[str]:
    """Returns those of a file's columns that are item columns."""
    return [name for name in names if is_item_column(name)]


def _candidates(name: str, column: pa.ChunkedArray) -> Iterator[_Candidate]:
    """Yields the keys of a list's items that may get a column, at most as many as a list may have."""
    texts = item_texts(column)
    if texts is None:
        return
    path = name.removesuffix(_LIST_SUFFIX)
    lowered = [key.lower() for key in texts.by_key]
    places = texts.lists.flatten()
    total = len(places)
    held = []
    for key, values in texts.by_key.items():
        # Engines find columns without regard to case.
        if lowered.count(key.lower()) > 1:
            continue
        column_path = item_path(path, key)
        if len(column_path.encode()) > limits.MAX_PATH_BYTES:
            continue
        present = total - values.take(places.indices).null_count if values.null_count else total
        if present < max(1, limits.MIN_ITEM_DENSITY * total):
            continue
        column_name = f"{column_path}:{ITEM_TEXTS}"
        held.append(_Candidate(column_name, _cost(values, total), texts, key))
    yield from sorted(held, key=lambda each: each.bytes)[: limits.MAX_ITEM_COLUMNS]


def _cost(values: pa.Array, items: int) -> float:
    """Returns the bytes that a column takes, about: its distinct texts once, and their numbers."""
    distinct = pc.unique(values)
    text_bytes: float = (pc.sum(pc.binary_length(distinct)).as_py() or 0) * _TEXT_LEFT
    return text_bytes + items * (_bits(len(distinct)) + _LEVEL_BITS) / 8


def _stored_bytes(column: pa.ChunkedArray) -> float:
    """Returns the bytes that a column of a table takes in the file, about."""
    if pa.types.is_list(column.type) and pa.types.is_dictionary(column.type.value_type):
        column = pc.list_flatten(column)
    if not pa.types.is_dictionary(column.type):
        return float(column.nbytes * _OTHER_LEFT)
    text_bytes = sum(chunk.dictionary.nbytes for chunk in column.chunks) * _TEXT_LEFT
    bits = sum(len(chunk) * _bits(len(chunk.dictionary)) for chunk in column.chunks)
    return float(text_bytes + bits / 8)


def _bits(distinct: int) -> int:
    return math.ceil(math.log2(max(distinct, 1) + 1))
