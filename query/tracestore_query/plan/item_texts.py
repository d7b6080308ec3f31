"""Texts in the items of lists of objects: of which keys item columns give them, and those of rows in memory.

A key is read from item columns alone where its values are texts in all data that is read, and every segment with the
list has the column. Else it is taken out of the items of the others, which gives the same values.
"""

from __future__ import annotations

import enum
import functools
import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from tracestore.variant import (
    ITEM_LIST,
    ITEM_TEXTS,
    LEAVES,
    OVERFLOW,
    ItemTexts,
    is_item_path,
    item_path,
    item_texts,
    parse_path,
)
from tracestore_query.plan.scan import Leaf


class Held(enum.Enum):
    """Of which values at a key of a list's items item columns tell."""

    ALL = enum.auto()
    """Of all: each is a text, or there is none."""
    SOME = enum.auto()
    """Of those of some segments; others are taken out of the items."""
    NONE = enum.auto()


@dataclass(slots=True)
class _Known:
    """What is known of the lists of a table of rows in memory, by path, as long as the table lives."""

    chunk: weakref.ref[pa.Table]
    texts: dict[str, ItemTexts | None] = field(default_factory=dict)


# Rows in memory are read by many queries, and their items are parsed once. By the number of the table, since tables
# have no hash.
_of_chunks: dict[int, _Known] = {}
_lock = threading.Lock()


def item_leaf(path: str, key: str) -> Leaf:
    """Returns the leaf of an item column: of a key in the items of a list, given the list's path."""
    return item_path(path, key), ITEM_TEXTS


def list_and_key(path: str) -> tuple[str, str]:
    """Returns the path of the list and the key that an item column's path leads to."""
    before, _, after = path.rpartition("[].")
    while is_item_path(before):
        # The mark stood in a quoted key.
        before, _, more = before.rpartition("[].")
        after = f"{more}[].{after}"
    (key,) = parse_path(after)
    return before, str(key)


def are_texts(chunks: Iterable[pa.Table], path: str, key: str) -> bool:
    """Returns whether a key's values are texts in all items of rows in memory."""
    for chunk in chunks:
        overflow = chunk.column(OVERFLOW)
        if overflow.null_count < len(overflow):
            # The list itself may be in there.
            return False
        if f"{path}:{ITEM_LIST}" not in chunk.schema.names:
            continue
        texts = _texts_of(chunk, path)
        if texts is None or texts.may_have(key):
            return False
    return True


def memory_column(chunk: pa.Table, path: str) -> pa.ChunkedArray | pa.Array:
    """Returns an item column of rows in memory, given its path."""
    list_path, key = list_and_key(path)
    arrow_type = LEAVES[ITEM_TEXTS].arrow
    if f"{list_path}:{ITEM_LIST}" not in chunk.schema.names:
        return pa.nulls(len(chunk), arrow_type)
    texts = _texts_of(chunk, list_path)
    if texts is None:
        return pa.nulls(len(chunk), arrow_type)
    held = texts.column(key) if key in texts.by_key else texts.nothing()
    return pa.chunked_array([held]).cast(arrow_type)


def _texts_of(chunk: pa.Table, path: str) -> ItemTexts | None:
    number = id(chunk)
    with _lock:
        known = _of_chunks.get(number)
        if known is None or known.chunk() is not chunk:
            gone = functools.partial(_forget, number)
            known = _of_chunks[number] = _Known(weakref.ref(chunk, gone))
    if path not in known.texts:
        known.texts[path] = item_texts(chunk.column(f"{path}:{ITEM_LIST}"))
    return known.texts[path]


def _forget(number: int, gone: weakref.ref[pa.Table]) -> None:
    known = _of_chunks.get(number)
    if known is not None and known.chunk is gone:
        del _of_chunks[number]
