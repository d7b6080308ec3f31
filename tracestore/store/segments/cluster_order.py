"""The order of the rows of a clustered segment: by columns that its project names, and by time where these are equal.

Rows that are alike in what is asked for stand together, so that statistics of row groups leave most of them out. No
reader relies on the order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore import limits
from tracestore.arrow_compute import pc
from tracestore.segment.tables import SegmentTable
from tracestore.variant import parse_leaf_name, parse_path

RowNumbers = npt.NDArray[np.int64]

MAX_KEYS: Final = 2 * limits.MAX_CLUSTER_COLUMNS
"""Stored columns that one order compares: a path has one for each type and spelling of its keys."""

_SORTED_TYPES: Final = frozenset({"str", "i64", "f64", "bool"})

# Codes of all columns together stay below this: one more column of 2^32 values would pass 64 bits.
_MAX_CODES: Final = 2**31

# Numbers of 16 bits are sorted by their digits, in a tenth of the time.
_SHORT_CODES: Final = 2**16


class ColumnSource(Protocol):
    """What holds rows, and gives columns of all of them."""

    def leaf_names(self) -> Sequence[str]:
        """Returns the names of its leaf columns."""

    def whole_column(self, name: str) -> pa.Array:
        """Returns a fixed or leaf column of all rows, with or without a dictionary."""


def clustered(
    source: ColumnSource, spec: SegmentTable, columns: Sequence[str], order: RowNumbers
) -> tuple[RowNumbers, tuple[str, ...]]:
    """Returns rows, given in the order of their time, by columns first; and the stored columns that decide.

    Args:
        source: holds the rows.
        spec: their table.
        columns: fixed columns and paths, the first decides first. Those that no row has are left out.
        order: numbers of rows.
    """
    names = tuple(_stored(source, spec, columns))[:MAX_KEYS]
    if not names or len(order) < 2:
        return order, names
    keys = np.zeros(len(order), np.int64)
    known = 1
    for name in names:
        codes, count = _codes(source.whole_column(name))
        keys = keys * count + codes[order]
        known *= count
        if known > _MAX_CODES:
            distinct, keys = np.unique(keys, return_inverse=True)
            known = len(distinct)
    if known <= _SHORT_CODES:
        keys = keys.astype(np.uint16)
    return order[np.argsort(keys, kind="stable")], names


def _stored(source: ColumnSource, spec: SegmentTable, columns: Sequence[str]) -> Iterator[str]:
    """Yields the stored columns that some columns and paths name, those of one path one after the other."""
    leaves: dict[str, list[str]] = {}
    for name in sorted(source.leaf_names()):
        keys, leaf_type = parse_leaf_name(name)
        if leaf_type in _SORTED_TYPES:
            leaves.setdefault(".".join(keys), []).append(name)
    for column in columns:
        if column in spec.columns and column not in spec.derived:
            yield column
        else:
            yield from leaves.get(".".join(map(str, parse_path(column))), ())


def _codes(column: pa.Array) -> tuple[RowNumbers, int]:
    """Returns a number for each value, in the order of the values and missing ones last, and how many there are."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    values = encoded.dictionary
    ranks = np.empty(len(values) + 1, np.int64)
    ranks[pc.sort_indices(values).to_numpy()] = np.arange(len(values))
    ranks[len(values)] = len(values)
    places = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return ranks[places], len(values) + 1
