"""Attributes of rows with what moved to other columns put back: an application finds what it sent."""

from __future__ import annotations

import pyarrow as pa

from tracestore.variant import restore_attributes, unshred_values
from tracestore.variant.moved import COLUMN, COLUMNS


def with_moved(texts: pa.Array, table: pa.Table) -> pa.Array:
    """Returns the attributes of rows, as JSON texts, with what moved put back.

    Args:
        texts: the attributes that stayed.
        table: the same rows with `moved_attributes` and the leaves of the columns that attributes move to.
    """
    moved = table.column(COLUMN).to_pylist()
    if not any(moved):
        return texts
    values = {column: unshred_values(table, column).to_pylist() for column in COLUMNS}
    restored = []
    for i, text in enumerate(texts.to_pylist()):
        own = None if text == "null" else text
        restored.append(
            restore_attributes(own, moved[i], {name: each[i] for name, each in values.items()})
        )
    return pa.array(restored, pa.string())
