"""Columns of what stands in the items of lists of objects: their names, and how they are made of the lists.

docs/format/segment.md, "Item columns", is the specification. An item column follows from its list, whose items
stay JSON text: a reader that has it need not parse them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from tracestore import _native, limits
from tracestore.arrow_compute import pc
from tracestore.variant.paths import format_path, without_quoted_keys

ITEM_LIST: Final = "json[]"
"""The leaf type of lists whose items may be objects."""

ITEM_TEXTS: Final = "str[]"
"""The leaf type of item columns: a text for each item of the list, null where the item has none."""

_INTO_ITEMS: Final = "[]"


def item_path(path: str, key: str) -> str:
    """Returns the text form of a key's path in the items of a list, given that of the list."""
    return f"{path}{_INTO_ITEMS}.{format_path([key])}"


def is_item_path(path: str) -> bool:
    """Returns whether a path's text leads into the items of a list."""
    return _INTO_ITEMS in path and _INTO_ITEMS in without_quoted_keys(path)


def is_item_column(name: str) -> bool:
    """Returns whether a column's name is one of an item column."""
    return _INTO_ITEMS in name and is_item_path(name.rpartition(":")[0])


@dataclass(frozen=True, slots=True)
class ItemTexts:
    """The texts in the items of a column of lists, by key: of keys that are texts in every item that has them.

    Attributes:
        lists: the lists, with a dictionary of the distinct items.
        by_key: for each key the text of each distinct item, null where it has none.
        others: keys that are something else than a text in some item, or twice in one.
        is_cut: whether there were more keys than are looked at.
    """

    lists: pa.ListArray
    by_key: Mapping[str, pa.Array]
    others: frozenset[str]
    is_cut: bool

    def column(self, key: str) -> pa.ListArray:
        """Returns the texts of a key as lists with a dictionary, in which each has the place of its item."""
        texts = self.by_key[key].dictionary_encode()
        places = self.lists.values.indices
        coded = pa.DictionaryArray.from_arrays(texts.indices.take(places), texts.dictionary)
        return _lists_of(self.lists, coded)

    def may_have(self, key: str) -> bool:
        """Returns whether some item may have something else than a text at a key."""
        return key in self.others or (self.is_cut and key not in self.by_key)

    def nothing(self) -> pa.ListArray:
        """Returns what the column of a key that no item has would be."""
        return _lists_of(self.lists, pa.nulls(len(self.lists.values), pa.string()))


def item_texts(column: pa.ChunkedArray, max_keys: int = limits.MAX_ITEM_KEYS) -> ItemTexts | None:
    """Returns the texts in the items of a column of type `json[]`, None where they cannot be told.

    Each distinct item is parsed once where the column comes with a dictionary.
    """
    lists = _coded(column)
    distinct = lists.values.dictionary
    offsets, data = _buffers(distinct)
    batch, others, is_cut = _native.item_texts(offsets, data, max_keys)
    if batch is None:
        return None
    texts = pa.record_batch(batch)
    by_key = dict(zip(texts.schema.names, texts.columns, strict=True))
    return ItemTexts(lists, by_key, frozenset(key.decode() for key in others), is_cut)


def _coded(column: pa.ChunkedArray) -> pa.ListArray:
    """Returns a column of lists as one array, with one dictionary of all items."""
    if pa.types.is_dictionary(column.type.value_type):
        lists = pa.concat_arrays(column.unify_dictionaries().chunks) if column.num_chunks else None
        if lists is not None:
            return lists
    whole = pa.concat_arrays([*column.chunks, pa.array([], column.type)])
    items = whole.values
    if not pa.types.is_dictionary(items.type):
        items = items.dictionary_encode()
    return _lists_of(whole, items)


def _lists_of(lists: pa.ListArray, items: pa.Array) -> pa.ListArray:
    """Returns lists of the same lengths with other items."""
    valid, offsets = lists.buffers()[:2]
    return pa.Array.from_buffers(
        pa.list_(items.type),
        len(lists),
        [valid, offsets],
        null_count=lists.null_count,
        offset=lists.offset,
        children=[items],
    )


def _buffers(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Returns where each text begins in the bytes of an array, and these bytes; a null is empty."""
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    if texts.type != pa.string():
        texts = texts.cast(pa.string())
    _, offsets, data = texts.buffers()
    if len(texts) == 0 or offsets is None:
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return places, np.frombuffer(data or b"", np.uint8)
