"""Rows of spans with their patches merged: read the fields' old values, change them, shred them again.

Only rows that a patch names are read, and of them only the leaves below the fields that are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.store.patches.log import Patch
from tracestore.store.patches.rules import MISSING, patched
from tracestore.variant import (
    OVERFLOW,
    TABLES,
    Shredder,
    input_key,
    parse_leaf_name,
    unshred_values,
)

RowNumbers = npt.NDArray[np.int64]
Changes = Sequence[Sequence[Patch]]

_KEY = "input_key"


@dataclass(frozen=True, slots=True)
class OldRow:
    """A row before its patches: values by field, and the rest of its `_overflow`."""

    values: Mapping[str, Any]
    overflow: str | None


@dataclass(frozen=True, slots=True)
class Overlay:
    """The patched rows of a segment, with all leaves of the fields that are read, old ones included.

    Attributes:
        rows: numbers of rows.
        table: leaves and `_overflow`.
        trace_ids: of the rows.
    """

    rows: RowNumbers
    table: pa.Table
    trace_ids: pa.Array

    def of_traces(self, trace_ids: Collection[str]) -> Overlay | None:
        """Returns the rows of some traces, None where there are none."""
        mask = pc.is_in(self.trace_ids, pa.array(list(trace_ids), pa.string()))
        numbers = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
        if len(numbers) == 0:
            return None
        taken = pa.array(numbers)
        return Overlay(self.rows[numbers], self.table.take(taken), self.trace_ids.take(taken))


def leaf_columns(names: Collection[str], fields: frozenset[str]) -> list[str]:
    """Returns the leaf columns at or below the fields, in the order of the names."""
    fixed = TABLES["spans"].columns
    leaves = [name for name in names if name != OVERFLOW and name not in fixed]
    return [name for name in leaves if fields.intersection(parse_leaf_name(name)[0][:1])]


def old_rows(table: pa.Table, fields: frozenset[str]) -> list[OldRow]:
    """Returns what rows hold at the fields; the table has at least their leaves and `_overflow`."""
    names = leaf_columns(table.column_names, fields)
    leaves = table.select([*names, OVERFLOW] if OVERFLOW in table.column_names else names)
    texts = {name: unshred_values(leaves, (name,)).to_pylist() for name in fields}
    overflow = (
        table.column(OVERFLOW).to_pylist()
        if OVERFLOW in table.column_names
        else [None] * len(table)
    )
    return [
        OldRow(
            {name: json.loads(text[at]) for name, text in texts.items() if text[at] is not None},
            _rest_of(overflow[at], fields),
        )
        for at in range(len(table))
    ]


def new_rows(old: Sequence[OldRow], changes: Changes, fields: frozenset[str]) -> pa.Table:
    """Returns the leaves of the fields after the changes, and `_overflow`, a row for each old one."""
    lines = []
    for row, patches in zip(old, changes, strict=True):
        row_changes = [(patch.created_ns, patch.change) for patch in patches]
        document = {}
        for name in fields:
            value = patched(name, row.values.get(name, MISSING), row_changes)
            if value is not MISSING:
                document[name] = value
        lines.append(json.dumps(document))
    shredder = Shredder("json", min_leaf_rows=1, min_leaf_density=0.0, max_leaf_columns=2**31)
    if lines:
        shredder.append_json("\n".join(lines).encode())
    if shredder.rows != len(lines):
        raise AssertionError("BUG: a patched row was refused by the shredder")
    table = shredder.finish()
    # A row without any of the fields is an empty object, which the shredder has as a leaf of the root.
    names = leaf_columns(table.column_names, fields)
    own = table.column(OVERFLOW).to_pylist() if OVERFLOW in table.column_names else []
    rest = [row.overflow for row in old]
    if any(text is not None for text in own):
        rest = [_joined(text, extra) for text, extra in zip(rest, own, strict=True)]
    arrays = [table.column(name) for name in names]
    arrays.append(pa.chunked_array([pa.array(rest, pa.string())]))
    return pa.Table.from_arrays(arrays, names=[*names, OVERFLOW])


def with_changes(
    table: pa.Table, rows: RowNumbers, changes: Changes, fields: frozenset[str]
) -> pa.Table:
    """Returns the given rows of a table, patched: whole rows, without the others."""
    taken = table.take(pa.array(rows))
    new = new_rows(old_rows(taken, fields), changes, fields)
    gone = {OVERFLOW, *leaf_columns(taken.column_names, fields)}
    names = [name for name in taken.column_names if name not in gone]
    if "input" in fields and _KEY in names:
        taken = _with_keys(taken, new)
    arrays = [taken.column(name) for name in names]
    return pa.Table.from_arrays([*arrays, *new.columns], names=[*names, *new.column_names])


def _with_keys(table: pa.Table, new: pa.Table) -> pa.Table:
    """Returns rows with the key of their new input where they had none."""
    texts = unshred_values(new, ("input",)).to_pylist()
    keys = [None if text is None else input_key(text.encode()) for text in texts]
    own = table.column(_KEY)
    made = pc.coalesce(own, pa.chunked_array([pa.array(keys, own.type)]))
    return table.set_column(table.column_names.index(_KEY), _KEY, made)


def put_back(table: pa.Table, rows: RowNumbers, new: pa.Table, fields: frozenset[str]) -> pa.Table:
    """Returns a table with the fields' leaves and `_overflow` of some rows taken from others.

    Args:
        table: any columns.
        rows: numbers of the rows that change.
        new: leaves of the fields and `_overflow`, a row for each number.
        fields: the fields.
    """
    gone = {OVERFLOW, *leaf_columns(table.column_names, fields)}
    mask = np.zeros(len(table), np.bool_)
    mask[rows] = True
    taken = table.take(pa.array(rows))
    unchanged = [name for name in table.column_names if name not in gone]
    replaced = [name for name in new.column_names if name != OVERFLOW or name in table.column_names]
    changed = pa.Table.from_arrays(
        [*(taken.column(name) for name in unchanged), *(new.column(name) for name in replaced)],
        names=[*unchanged, *replaced],
    )
    rest = table.filter(pa.array(~mask))
    order = np.concatenate([np.flatnonzero(~mask), rows])
    both = pa.concat_tables([rest, changed], promote_options="default")
    return both.take(pa.array(np.argsort(order, kind="stable")))


def _rest_of(overflow: str | None, fields: frozenset[str]) -> str | None:
    if overflow is None:
        return None
    values = json.loads(overflow)
    rest = {
        name: value for name, value in values.items() if parse_leaf_name(name)[0][0] not in fields
    }
    if len(rest) == len(values):
        return overflow
    return json.dumps(rest) if rest else None


def _joined(rest: str | None, own: str | None) -> str | None:
    if rest is None or own is None:
        return own if rest is None else rest
    return json.dumps({**json.loads(rest), **json.loads(own)})
