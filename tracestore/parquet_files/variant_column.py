"""A column of VARIANT, shredded or not, as JSON texts: Parquet's VariantShredding.md, column by column."""

from __future__ import annotations

import base64
import functools
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.parquet_files.errors import ParquetFileError
from tracestore.parquet_files.variant_value import (
    decode,
    encode,
    field_names,
    iso_clock,
    iso_date,
    iso_time,
    json_text,
)

MISSING: Final = object()
"""What is not there: neither a value nor a null."""

VARIANT: Final = pa.struct(
    [
        pa.field("metadata", pa.binary(), nullable=False),
        pa.field("value", pa.binary(), nullable=False),
    ]
)
"""A column that is not shredded, as Arrow writes it."""

Names = Sequence[str]
Values = list[Any]


def json_column(column: pa.Array) -> pa.Array:
    """Returns the values of a column of VARIANT as JSON, null where a row has none.

    Args:
        column: a struct of `metadata`, `value` and `typed_value`, of which either of the last two may not be there.

    Raises:
        ParquetFileError: where it is no VARIANT, or a value is broken.
    """
    if not pa.types.is_struct(column.type) or column.type.get_field_index("metadata") < 0:
        raise ParquetFileError("cannot read variant: it is no group with metadata")
    members = dict(zip([field.name for field in column.type], column.flatten(), strict=True))
    metadata = members["metadata"].to_pylist()
    known = functools.lru_cache(maxsize=1000)(field_names)
    names = [known(each) if each is not None else () for each in metadata]
    values = _values(members, names)
    texts = [
        None if not is_there or value is MISSING else json_text(value)
        for is_there, value in zip(column.is_valid().to_pylist(), values, strict=True)
    ]
    return pa.array(texts, pa.string())


def variant_array(texts: pa.Array) -> pa.Array:
    """Returns a column of JSON texts as one of VARIANT."""
    encoded = [
        (b"", b"") if text is None else encode(json.loads(text)) for text in texts.to_pylist()
    ]
    return pa.StructArray.from_arrays(
        [pa.array([pair[member] for pair in encoded], pa.binary()) for member in (0, 1)],
        fields=list(VARIANT),
        mask=texts.is_null(),
    )


def _values(members: dict[str, pa.Array], names: Sequence[Names]) -> Values:
    """Returns what a group of `value` and `typed_value` holds, row by row."""
    unknown = members.keys() - {"metadata", "value", "typed_value"}
    if unknown:
        raise ParquetFileError(f"cannot read variant: a group has {min(unknown)!r} in it")
    count = len(names)
    plain = members["value"].to_pylist() if "value" in members else [None] * count
    typed = members.get("typed_value")
    if typed is None:
        return [_decoded(value, known) for value, known in zip(plain, names, strict=True)]
    if pa.types.is_struct(typed.type):
        return _objects(plain, typed, names)
    shredded = (
        _lists(typed, names)
        if pa.types.is_list(typed.type) or pa.types.is_large_list(typed.type)
        else _scalars(typed)
    )
    return [_either(*row) for row in zip(plain, shredded, names, strict=True)]


def _decoded(value: bytes | None, names: Names) -> Any:
    return MISSING if value is None else decode(value, names)


def _either(value: bytes | None, typed: Any, names: Names) -> Any:
    if typed is MISSING:
        return _decoded(value, names)
    if value is not None:
        raise ParquetFileError("cannot read variant: a place has both a value and a typed value")
    return typed


def _objects(
    plain: Sequence[bytes | None], typed: pa.StructArray, names: Sequence[Names]
) -> Values:
    fields = {
        field.name: _values(_members(child), names)
        for field, child in zip(typed.type, typed.flatten(), strict=True)
    }
    rows: Values = []
    for at, (value, is_object) in enumerate(zip(plain, typed.is_valid().to_pylist(), strict=True)):
        rest = _decoded(value, names[at])
        if not is_object:
            rows.append(rest)
            continue
        if rest is not MISSING and not isinstance(rest, dict):
            raise ParquetFileError("cannot read variant: a value with shredded fields is no object")
        own = {name: values[at] for name, values in fields.items() if values[at] is not MISSING}
        # A field that is in both is the shredded one: writers must not, and readers need not look.
        left = (
            {name: each for name, each in rest.items() if name not in fields}
            if isinstance(rest, dict)
            else {}
        )
        rows.append({**left, **own})
    return rows


def _members(child: pa.Array) -> dict[str, pa.Array]:
    if not pa.types.is_struct(child.type):
        raise ParquetFileError("cannot read variant: a shredded field is no group")
    return dict(zip([field.name for field in child.type], child.flatten(), strict=True))


def _lists(typed: Any, names: Sequence[Names]) -> Values:
    lengths = pc.fill_null(pc.list_value_length(typed), 0).to_pylist()
    repeated = list(
        itertools.chain.from_iterable(
            itertools.repeat(known, length) for known, length in zip(names, lengths, strict=True)
        )
    )
    # An item that is not there is a null: a list has no gaps.
    items = iter(
        None if item is MISSING else item for item in _values(_members(typed.flatten()), repeated)
    )
    return [
        list(itertools.islice(items, length)) if is_there else MISSING
        for is_there, length in zip(typed.is_valid().to_pylist(), lengths, strict=True)
    ]


def _scalars(typed: pa.Array) -> Values:
    kind = typed.type
    read, numbers = _reader(kind), typed
    if pa.types.is_temporal(kind):
        numbers = typed.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64())
    return [MISSING if value is None else read(value) for value in numbers.to_pylist()]


def _reader(kind: pa.DataType) -> Callable[[Any], Any]:
    """Returns what reads a value of a shredded type.

    Raises:
        ParquetFileError: where no VARIANT can be shredded so.
    """
    for fits, read in _SCALARS:
        if fits(kind):
            return read
    if pa.types.is_timestamp(kind) and kind.unit in {"us", "ns"}:
        per_second, zone = {"us": 10**6, "ns": 10**9}[kind.unit], "Z" if kind.tz else ""
        return lambda number: iso_time(number, per_second, zone)
    raise ParquetFileError(f"cannot read variant: it is shredded as {kind}, which none can be")


def _itself(value: Any) -> Any:
    return value


_SCALARS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]], ...]] = (
    (pa.types.is_boolean, _itself),
    (pa.types.is_signed_integer, _itself),
    (lambda kind: pa.types.is_float32(kind) or pa.types.is_float64(kind), _itself),
    (lambda kind: pa.types.is_decimal(kind) and kind.precision <= 38, _itself),
    (lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind), _itself),
    (
        lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
        lambda data: base64.b64encode(data).decode(),
    ),
    (pa.types.is_date32, iso_date),
    (lambda kind: pa.types.is_time64(kind) and kind.unit == "us", iso_clock),
    (lambda kind: isinstance(kind, pa.UuidType), str),
)
