"""Dictionaries of a part of a table: slices share the whole table's, and a file would hold it once a row group."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def own_dictionaries(table: pa.Table) -> pa.Table:
    """Returns the same values; every dictionary holds only what the table's rows use, in the order it had.

    Cost: a few operations a row and a dictionary entry.
    """
    for number, column in enumerate(table.columns):
        if pa.types.is_dictionary(_item_type(column.type)):
            chunks = [_of_chunk(chunk) for chunk in column.chunks]
            shrunk = pa.chunked_array(chunks, type=column.type)
            table = table.set_column(number, table.schema.field(number), shrunk)
    return table


def _item_type(kind: pa.DataType) -> pa.DataType:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return kind.value_type if is_list else kind


def _of_chunk(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        return _of_dictionary(array)
    first, stop = array.offsets[0].as_py(), array.offsets[-1].as_py()
    items = _of_dictionary(array.values.slice(first, stop - first))
    offsets = pa.array(array.offsets.to_numpy() - first, array.offsets.type)
    mask = array.is_null() if array.null_count else None
    return type(array).from_arrays(offsets, items, type=array.type, mask=mask)


def _of_dictionary(array: pa.DictionaryArray) -> pa.DictionaryArray:
    texts = array.dictionary
    indices = array.indices
    known = indices.fill_null(0).to_numpy(zero_copy_only=False)
    used = np.zeros(len(texts) + 1, np.bool_)  # one more: an array of nulls has no dictionary
    used[known if array.null_count == 0 else known[array.is_valid().to_numpy(False)]] = True
    used_texts = np.flatnonzero(used)
    if len(used_texts) == len(texts):
        return array
    renumbered = (np.cumsum(used) - 1).astype(known.dtype)[known]
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return pa.DictionaryArray.from_arrays(
        pa.array(renumbered, indices.type, mask=mask), texts.take(pa.array(used_texts))
    )
