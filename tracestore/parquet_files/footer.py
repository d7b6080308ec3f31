"""The footer of a Parquet file, as far as VARIANT goes: which columns are of that type, and how they are marked.

It is Thrift's compact form. It is read into lists of fields and written back the same, but for the mark, since Arrow
neither tells the type nor writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tracestore.parquet_files.errors import ParquetFileError

MAGIC: Final = b"PAR1"
MAX_FOOTER_BYTES: Final = 64 * 1024 * 1024
"""Of a file of others: twenty times what 10,000 columns take."""

MAX_DEPTH: Final = 32
"""Levels of Thrift's structures; Parquet has some eight."""

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INT32: Final = 5
_INTEGERS: Final = {4, _INT32, 6}

# Fields of FileMetaData and SchemaElement, and the member of LogicalType that is VARIANT.
_SCHEMA, _NAME, _CHILDREN, _LOGICAL, _VARIANT = 2, 4, 5, 10, 16

Field = tuple[int, int, Any]
"""A field's number, its type and its value; of a structure the value is a list of fields."""


def variant_columns(path: Path) -> frozenset[str]:
    """Returns the columns of a file whose type is VARIANT; those inside of others do not count.

    Raises:
        ParquetFileError: where it is no Parquet file.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if size < 12 or tail[4:] != MAGIC or not 0 < length <= min(size - 8, MAX_FOOTER_BYTES):
            raise ParquetFileError("cannot read it: it does not end as a Parquet file does")
        file.seek(size - 8 - length)
        footer = _Reader(file.read(length)).structure(0)
    return frozenset(
        _text(_value(element, _NAME, _BINARY))
        for element in _top_elements(footer)
        if any(number == _VARIANT for number, _, _ in _value(element, _LOGICAL, _STRUCT) or ())
    )


def marked(end: bytes, columns: frozenset[str]) -> bytes:
    """Returns the end of a Parquet file in which columns are marked as VARIANT.

    Args:
        end: the file's last bytes, with the whole footer among them.
        columns: names of groups of `metadata` and `value`.
    """
    length = int.from_bytes(end[-8:-4], "little")
    before, footer_bytes = end[: -8 - length], end[-8 - length : -8]
    footer = _Reader(footer_bytes).structure(0)
    for element in _top_elements(footer):
        if _text(_value(element, _NAME, _BINARY)) in columns:
            kept = [field for field in element if field[0] != _LOGICAL]
            # VariantType says the version of the specification.
            variant: list[Field] = [(1, _BYTE, 1)]
            logical: Field = (_LOGICAL, _STRUCT, [(_VARIANT, _STRUCT, variant)])
            element[:] = sorted([*kept, logical], key=lambda field: field[0])
    written = _structure(footer)
    return before + written + len(written).to_bytes(4, "little") + MAGIC


def _top_elements(footer: list[Field]) -> Iterator[list[Field]]:
    """Yields the schema's elements that stand right below its root."""
    kind, elements = _value(footer, _SCHEMA, _LIST) or (_STRUCT, [])
    if kind != _STRUCT:
        raise ParquetFileError("cannot read it: its footer has no schema")
    at = 1
    while at < len(elements):
        yield elements[at]
        waiting = 1
        while waiting and at < len(elements):
            waiting += (_value(elements[at], _CHILDREN, _INT32) or 0) - 1
            at += 1


def _value(fields: list[Field], number: int, kind: int) -> Any:
    """Returns the value of a field, None where there is none of that type."""
    return next((value for each, found, value in fields if (each, found) == (number, kind)), None)


def _text(data: Any) -> str:
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else ""


class _Reader:
    """Bytes of Thrift; none is read beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def structure(self, depth: int) -> list[Field]:
        """Returns the fields of a structure."""
        fields: list[Field] = []
        number = 0
        while True:
            head = self._take(1)[0]
            kind = head & 0x0F
            if head == 0:
                return fields
            number = number + (head >> 4) if head >> 4 else _zigzag(self._varint())
            fields.append((number, kind, self._value(kind, depth)))

    def _value(self, kind: int, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ParquetFileError("cannot read it: its footer is nested too deeply")
        if kind in {_TRUE, _FALSE}:
            return kind == _TRUE
        if kind == _BYTE:
            return int.from_bytes(self._take(1), "little", signed=True)
        if kind in _INTEGERS:
            return _zigzag(self._varint())
        if kind == _DOUBLE:
            return struct.unpack("<d", self._take(8))[0]
        return self._nested(kind, depth)

    def _nested(self, kind: int, depth: int) -> Any:
        if kind == _BINARY:
            return self._take(self._varint())
        if kind in {_LIST, _SET}:
            return self._list(depth)
        if kind == _STRUCT:
            return self.structure(depth + 1)
        raise ParquetFileError(f"cannot read it: its footer has a value of the unknown type {kind}")

    def _list(self, depth: int) -> tuple[int, list[Any]]:
        head = self._take(1)[0]
        count = head >> 4 if head >> 4 < 15 else self._varint()
        kind = head & 0x0F
        # Each value takes a byte at least.
        if count > len(self._data) - self._at:
            raise ParquetFileError(
                "cannot read it: its footer has a list that is longer than itself"
            )
        if kind in {_TRUE, _FALSE}:
            return kind, [self._take(1)[0] == _TRUE for _ in range(count)]
        return kind, [self._value(kind, depth + 1) for _ in range(count)]

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise ParquetFileError("cannot read it: its footer ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        number = shift = 0
        while shift < 70:
            byte = self._take(1)[0]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
        raise ParquetFileError("cannot read it: its footer has a number of more than 10 bytes")


def _zigzag(number: int) -> int:
    return number >> 1 ^ -(number & 1)


def _structure(fields: list[Field]) -> bytes:
    parts: list[bytes] = []
    last = 0
    for number, kind, value in fields:
        written = _TRUE if value is True else _FALSE if value is False else kind
        step = number - last
        head = (
            bytes([step << 4 | written])
            if 0 < step <= 15
            else bytes([written]) + _varint(number << 1 ^ number >> 63)
        )
        parts += [head, b"" if isinstance(value, bool) else _written(kind, value)]
        last = number
    return b"".join((*parts, b"\0"))


def _written(kind: int, value: Any) -> bytes:
    if kind == _BYTE:
        return int(value).to_bytes(1, "little", signed=True)
    if kind in _INTEGERS:
        return _varint((value << 1 ^ value >> 63) & (1 << 64) - 1)
    if kind == _DOUBLE:
        return struct.pack("<d", value)
    if kind == _BINARY:
        return _varint(len(value)) + bytes(value)
    return _structure(value) if kind == _STRUCT else _list(*value)


def _list(item: int, items: list[Any]) -> bytes:
    head = (
        bytes([len(items) << 4 | item])
        if len(items) < 15
        else bytes([0xF0 | item]) + _varint(len(items))
    )
    if item in {_TRUE, _FALSE}:
        return head + bytes(_TRUE if each else _FALSE for each in items)
    return head + b"".join(_written(item, each) for each in items)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
