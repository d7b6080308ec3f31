"""Shredded tables back into JSON."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tracestore import _native, limits
from tracestore.errors import PathSyntaxError
from tracestore.variant.merging import append_table
from tracestore.variant.paths import format_path, parse_path
from tracestore.variant.tables import JSON, LOGS, SPANS, TableSpec

Path = str | Sequence[str]


def unshred(table: pa.Table, path: Path | None = None) -> bytes:
    """Returns the rows of a shredded table as NDJSON, one value a row.

    Args:
        table: fixed columns, leaf columns and `_overflow`, in any mix.
        path: the subtree wanted, as text or keys, e.g. `input.messages`; a row without it gives `null`.
            None for whole rows.

    Raises:
        PathSyntaxError: where the path cannot be parsed or holds an array index.
        PayloadError: where the table is not shredded.
    """
    builder, keys = _load(table, path)
    return _native.unshred(builder, keys)


def unshred_values(table: pa.Table, path: Path) -> pa.StringArray:
    """Returns one JSON text a row: the value under a path, null where the row has none.

    Raises:
        PathSyntaxError: where the path cannot be parsed or holds an array index.
        PayloadError: where the table is not shredded.
        LimitExceededError: where the texts would pass 2 GiB.
    """
    builder, keys = _load(table, path)
    return pa.record_batch(_native.unshred_values(builder, keys)).column(0)


def unshred_rows(table: pa.Table) -> pa.StringArray:
    """Returns the rows of a shredded table as one JSON text each."""
    return unshred_values(table, "")


def _load(table: pa.Table, path: Path | None) -> tuple[_native.Builder, list[bytes]]:
    keys = _keys(path)
    spec = _spec_of(table)
    builder = _native.Builder(spec, limits.MAX_NODES, limits.ANY_PATH_BYTES)
    append_table(builder, spec, table, keys, prefix=format_path(keys))
    return builder, [key.encode() for key in keys]


def _keys(path: Path | None) -> tuple[str, ...]:
    steps = parse_path(path) if isinstance(path, str) else list(path or ())
    keys = tuple(step for step in steps if isinstance(step, str))
    if len(keys) != len(steps):
        raise PathSyntaxError(
            f"cannot rebuild {format_path(steps)!r}: take the array and index its JSON"
        )
    return keys


def _spec_of(table: pa.Table) -> TableSpec:
    """Tells which table the columns are of; fixed columns are names that no leaf column has."""
    names = set(table.column_names)
    if names & (set(SPANS.columns) - set(LOGS.columns)):
        return SPANS
    if names & set(LOGS.columns):
        return LOGS
    return JSON
