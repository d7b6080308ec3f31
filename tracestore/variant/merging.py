"""Shredded tables as native input: which column goes where, in which Arrow type."""

from __future__ import annotations

import pyarrow as pa

from tracestore import _native
from tracestore.errors import PayloadError
from tracestore.variant.leaf_types import LEAVES
from tracestore.variant.paths import parse_leaf_name
from tracestore.variant.tables import OVERFLOW, TableSpec

_INDEXED = pa.dictionary(pa.int32(), pa.string())


def append_table(
    builder: _native.Builder,
    spec: TableSpec,
    table: pa.Table,
    under: tuple[str, ...] = (),
    *,
    prefix: str = "",
) -> int:
    """Appends the rows of a shredded table and returns their number.

    Args:
        builder: of the same table.
        spec: the table's columns.
        table: fixed columns (derived ones are ignored), leaf columns and `_overflow`, in any order and mix.
        under: takes only leaves at or below this path, and no fixed columns, where it is not empty.
        prefix: the text form of `under`.

    Raises:
        PayloadError: where the table is not shredded; the builder is as it was before the batch at fault.
    """
    stored = {name: i for i, (name, _) in enumerate(spec.stored)}
    targets: list[int | bytes | None] = []
    schema = []
    for name, arrow_type in zip(table.schema.names, table.schema.types, strict=True):
        target, want = _target(name, spec, stored, under)
        targets.append(target)
        schema.append((name, arrow_type if target is None else _readable(name, arrow_type, want)))
    readable = pa.schema(schema)
    if readable != table.schema:
        table = table.cast(readable)
    return sum(
        _native.append_batch(builder, batch, targets, prefix.encode())
        for batch in table.to_batches()
    )


def _target(
    name: str, spec: TableSpec, stored: dict[str, int], under: tuple[str, ...]
) -> tuple[int | bytes | None, pa.DataType]:
    """Returns where a column goes and the Arrow type it must have there."""
    if name == OVERFLOW:
        return name.encode(), pa.string()
    if name in stored:
        return (None if under else stored[name]), spec.columns[name]
    if name in spec.columns:
        return None, spec.columns[name]
    path, leaf_type = parse_leaf_name(name)
    is_below = tuple(path[: len(under)]) == under
    return (name.encode() if is_below else None), LEAVES[leaf_type].arrow


def _readable(name: str, have: pa.DataType, want: pa.DataType) -> pa.DataType:
    """Returns the type a column is read in: its own where the kernel knows it, else the leaf's."""
    if have == want:
        return want
    if want == pa.string() and have == _INDEXED:
        return _INDEXED
    if want == pa.list_(pa.string()) and pa.types.is_list(have) and have.value_type == _INDEXED:
        return pa.list_(_INDEXED)
    if pa.types.is_dictionary(have) or pa.types.is_nested(have) == pa.types.is_nested(want):
        return want
    raise PayloadError(f"column {name!r} has type {have}; want {want}")
