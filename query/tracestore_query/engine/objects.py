"""Objects of rows as JSON texts, with what moved to other columns put back: an application finds what it sent."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from tracestore.errors import PayloadError
from tracestore.variant import LEAVES, OVERFLOW, restore_attributes, unshred_values
from tracestore.variant.moved import COLUMN, COLUMNS
from tracestore_query.plan.plan import ObjectCall, part_name


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


def add_object_function(cursor: duckdb.DuckDBPyConnection, name: str, call: ObjectCall) -> None:
    """Registers a function from a struct of leaf columns to the JSON text they make."""

    def rebuild(column: pa.ChunkedArray | pa.Array) -> pa.Array:
        struct = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(struct, pa.ChunkedArray):
            # Some versions of pyarrow give a chunked array of one chunk.
            struct = struct.chunk(0) if struct.num_chunks else pa.array([], struct.type)
        table = pa.table(struct.flatten(), names=names)
        texts = unshredded(table, call.path)
        return with_moved(texts, table) if call.moved else texts

    names = [OVERFLOW, *(f"{path}:{leaf_type}" for path, leaf_type in call.leaves)]
    types = ["VARCHAR", *(LEAVES[leaf_type].sql for _, leaf_type in call.leaves)]
    if call.moved:
        names.append(COLUMN)
        types.append("VARCHAR")
    listed = ", ".join(f"{part_name(number)} {each}" for number, each in enumerate(types))
    create: Any = cursor.create_function
    create(name, rebuild, [f"STRUCT({listed})"], "VARCHAR", type="arrow", null_handling="special")


def unshredded(table: pa.Table, path: tuple[str, ...]) -> pa.Array:
    """Returns the JSON under a path for rows that may come from several segments.

    A leaf that is a column in one segment and in another's `_overflow` may be in both here, for different
    rows, which one call refuses: then each half is tried on its own, and rows of one segment lie together.
    """
    try:
        return unshred_values(table, path)
    except PayloadError:
        if table.num_rows < 2:
            raise
    half = table.num_rows // 2
    parts = [unshredded(table.slice(0, half), path), unshredded(table.slice(half), path)]
    return pa.concat_arrays(parts)
