"""Rows in memory with so many leaves that their objects are made of `_overflow`, as those of a segment's tail are."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pyarrow as pa

from tracestore.limits import MAX_LEAF_COLUMNS
from tracestore.variant import TABLES

_FIXED = max(len(spec.columns) for spec in TABLES.values())


def is_wide(chunk: pa.Table) -> bool:
    """Tells whether rows in memory have more leaf columns than a segment may have.

    To the engine each of them would be a column of each row: six thousand cost it two seconds a thousand rows.
    """
    return bool(chunk.num_columns > MAX_LEAF_COLUMNS + _FIXED)


def columns_of(names: Iterable[str], fields: Collection[str]) -> list[str]:
    """Returns the leaf columns at or below some fields."""
    starts = tuple(f"{field}{after}" for field in fields for after in ".:[")
    return [name for name in names if name.startswith(starts)]
