"""The binary form of one VARIANT: metadata, which holds the names of all fields, and a value.

Read and written as Parquet's VariantEncoding.md describes it. Bytes come from files of others: every length is checked
before it is used, and a value visits no more places than it has bytes.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import itertools
import json
import math
import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from tracestore.parquet_files.errors import ParquetFileError

MAX_DEPTH: Final = 200
"""Levels of a value: three times what the store keeps as columns, and what Python may recurse over."""

VERSION: Final = 1
MAX_DIGITS: Final = 38
"""Of a decimal; an integer of more digits goes out as a double."""

_NULL, _TRUE, _FALSE, _INT64, _DOUBLE, _DECIMAL16, _TEXT = 0, 1, 2, 6, 7, 10, 16
_SHORT_TEXT_BYTES: Final = 64
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the zone is written behind it


def iso_time(number: int, per_second: int, zone: str) -> str:
    """Returns a time as ISO 8601.

    Args:
        number: since 1970.
        per_second: units of it in a second: a million, or a billion.
        zone: what stands behind, empty where it has none.
    """
    seconds, rest = divmod(number, per_second)
    try:
        text = (_EPOCH + dt.timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        return str(number)
    digits = len(str(per_second)) - 1
    return f"{text}.{rest:0{digits}d}{zone}"


def iso_date(days: int) -> str:
    """Returns a date as ISO 8601."""
    try:
        return (_EPOCH + dt.timedelta(days=days)).date().isoformat()
    except OverflowError:
        return str(days)


def iso_clock(microseconds: int) -> str:
    """Returns a time of day as ISO 8601."""
    return iso_time(microseconds % 86_400_000_000, 10**6, "")[len("1970-01-01T") :]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ParquetFileError("cannot read variant: a text is not UTF-8") from None


def _decimal(data: bytes) -> decimal.Decimal:
    unscaled = int.from_bytes(data[1:], "little", signed=True)
    if data[0] > MAX_DIGITS:
        raise ParquetFileError(
            f"cannot read variant: a decimal has the scale {data[0]}; want 38 at most"
        )
    return decimal.Decimal(unscaled).scaleb(-data[0], decimal.Context(prec=2 * MAX_DIGITS))


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


# Each kind of fixed size: its bytes, and what they are.
_FIXED: Final[dict[int, tuple[int, Callable[[bytes], Any]]]] = {
    _NULL: (0, lambda _: None),
    _TRUE: (0, lambda _: True),
    _FALSE: (0, lambda _: False),
    3: (1, _integer),
    4: (2, _integer),
    5: (4, _integer),
    _INT64: (8, _integer),
    _DOUBLE: (8, lambda data: struct.unpack("<d", data)[0]),
    8: (5, _decimal),
    9: (9, _decimal),
    _DECIMAL16: (17, _decimal),
    11: (4, lambda data: iso_date(_integer(data))),
    12: (8, lambda data: iso_time(_integer(data), 10**6, "Z")),
    13: (8, lambda data: iso_time(_integer(data), 10**6, "")),
    14: (4, lambda data: struct.unpack("<f", data)[0]),
    17: (8, lambda data: iso_clock(_integer(data))),
    18: (8, lambda data: iso_time(_integer(data), 10**9, "Z")),
    19: (8, lambda data: iso_time(_integer(data), 10**9, "")),
    20: (16, lambda data: str(uuid.UUID(bytes=data))),
}
_SIZED: Final[dict[int, Callable[[bytes], Any]]] = {
    15: lambda data: base64.b64encode(data).decode(),
    _TEXT: _text,
}


class _Bytes:
    """Bytes that are read at places; none beyond the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, at: int, count: int) -> bytes:
        """Returns so many bytes."""
        if count > len(self.data) - at:
            raise ParquetFileError(
                f"cannot read variant: it ends at byte {len(self.data)}, within {count} bytes at {at}"
            )
        return self.data[at : at + count]

    def number(self, at: int, size: int) -> int:
        """Returns an unsigned number."""
        return int.from_bytes(self.take(at, size), "little")

    def numbers(self, at: int, count: int, size: int) -> list[int]:
        """Returns numbers that stand one behind the other."""
        data = self.take(at, count * size)
        return [
            int.from_bytes(data[begin : begin + size], "little")
            for begin in range(0, count * size, size)
        ]


def field_names(metadata: bytes) -> list[str]:
    """Returns the names of fields that metadata hold, in their order.

    Raises:
        ParquetFileError: where they are none.
    """
    source = _Bytes(metadata)
    header = source.number(0, 1)
    if header & 0x0F != VERSION:
        raise ParquetFileError(
            f"cannot read variant: its metadata have version {header & 0x0F}; want {VERSION}"
        )
    size = (header >> 6) + 1
    count = source.number(1, size)
    offsets = source.numbers(1 + size, count + 1, size)
    begin = 1 + size + (count + 1) * size
    return [
        _text(source.take(begin + low, _length(low, high)))
        for low, high in itertools.pairwise(offsets)
    ]


def _length(low: int, high: int) -> int:
    if high < low:
        raise ParquetFileError(f"cannot read variant: offset {high} stands behind {low}")
    return high - low


def decode(value: bytes, names: Sequence[str]) -> Any:
    """Returns a value as JSON has it; times are ISO 8601, bytes base64, decimals Decimals.

    Raises:
        ParquetFileError: where the bytes are no value.
    """
    return _Decoder(value, names).value(0, 0)


class _Decoder:
    """One value; `places` is how many more it may visit, since offsets may point to the same bytes again."""

    def __init__(self, data: bytes, names: Sequence[str]) -> None:
        self._source = _Bytes(data)
        self._names = names
        self._places = len(data)

    def value(self, at: int, depth: int) -> Any:
        self._places -= 1
        if depth > MAX_DEPTH or self._places < 0:
            raise ParquetFileError(
                f"cannot read variant: it is nested more than {MAX_DEPTH} deep, or holds bytes twice"
            )
        header = self._source.number(at, 1)
        kind, rest = header & 3, header >> 2
        if kind == 0:
            return self._primitive(at + 1, rest)
        if kind == 1:
            return _text(self._source.take(at + 1, rest))
        if kind == 2:
            return self._object(at + 1, rest, depth)
        return self._array(at + 1, rest, depth)

    def _primitive(self, at: int, kind: int) -> Any:
        if kind in _FIXED:
            size, read = _FIXED[kind]
            return read(self._source.take(at, size))
        if kind in _SIZED:
            return _SIZED[kind](self._source.take(at + 4, self._source.number(at, 4)))
        raise ParquetFileError(f"cannot read variant: no primitive type has the number {kind}")

    def _object(self, at: int, header: int, depth: int) -> dict[str, Any]:
        offset_size, id_size = (header & 3) + 1, (header >> 2 & 3) + 1
        count_size = 4 if header >> 4 & 1 else 1
        count = self._source.number(at, count_size)
        ids = self._source.numbers(at + count_size, count, id_size)
        at += count_size + count * id_size
        offsets = self._source.numbers(at, count + 1, offset_size)
        begin = at + (count + 1) * offset_size
        if any(each >= len(self._names) for each in ids):
            raise ParquetFileError("cannot read variant: a field has no name in the metadata")
        found = {
            self._names[each]: self.value(begin + offset, depth + 1)
            for each, offset in zip(ids, offsets, strict=False)
        }
        if len(found) != count:
            raise ParquetFileError("cannot read variant: an object has a field twice")
        return found

    def _array(self, at: int, header: int, depth: int) -> list[Any]:
        offset_size = (header & 3) + 1
        count_size = 4 if header >> 2 & 1 else 1
        count = self._source.number(at, count_size)
        at += count_size
        offsets = self._source.numbers(at, count + 1, offset_size)
        begin = at + (count + 1) * offset_size
        return [self.value(begin + offset, depth + 1) for offset in offsets[:-1]]


def json_text(value: Any) -> str:
    """Returns a decoded value as JSON; a number that JSON cannot say is its name as a text."""
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{_quoted(key)}:{json_text(each)}" for key, each in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, float) and not math.isfinite(value):
        return f'"{value}"'
    return _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def encode(value: Any) -> tuple[bytes, bytes]:
    """Returns the metadata and the value of what JSON holds.

    An integer beyond 64 bits is a decimal, and a double where it has more than 38 digits.
    """
    names: dict[str, int] = {}
    _note_names(value, names)
    ordered = sorted(names, key=str.encode)
    names.update({name: number for number, name in enumerate(ordered)})
    return _metadata(ordered), _encoded(value, names)


def _note_names(value: Any, names: dict[str, int]) -> None:
    if isinstance(value, dict):
        names.update(dict.fromkeys(value, 0))
        for each in value.values():
            _note_names(each, names)
    elif isinstance(value, list):
        for each in value:
            _note_names(each, names)


def _metadata(names: list[str]) -> bytes:
    texts = [name.encode("utf-8", "replace") for name in names]
    total = sum(map(len, texts))
    size = _size_of(max(total, len(texts)))
    is_sorted = 1 << 4
    header = VERSION | is_sorted | (size - 1) << 6
    offsets = _offsets(texts)
    parts = [bytes([header]), len(texts).to_bytes(size, "little")]
    parts += [offset.to_bytes(size, "little") for offset in offsets]
    return b"".join((*parts, *texts))


def _offsets(parts: list[bytes]) -> list[int]:
    offsets = [0]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return offsets


def _size_of(number: int) -> int:
    return max((number.bit_length() + 7) // 8, 1)


def _encoded(value: Any, names: dict[str, int]) -> bytes:
    if isinstance(value, dict):
        return _encoded_object(value, names)
    if isinstance(value, list):
        parts = [_encoded(each, names) for each in value]
        offsets = _offsets(parts)
        size = _size_of(offsets[-1])
        large = len(parts) > 255
        header = (size - 1 | large << 2) << 2 | 3
        return _container(header, large, len(parts), [], offsets, size, parts)
    if isinstance(value, str):
        return _encoded_text(value.encode("utf-8", "replace"))
    if value is None or isinstance(value, bool):
        kind = {None: _NULL, True: _TRUE, False: _FALSE}[value]
        return bytes([kind << 2])
    return _encoded_number(value)


def _encoded_object(value: dict[str, Any], names: dict[str, int]) -> bytes:
    keys = sorted(value, key=str.encode)
    parts = [_encoded(value[key], names) for key in keys]
    ids = [names[key] for key in keys]
    offsets = _offsets(parts)
    size, id_size = _size_of(offsets[-1]), _size_of(max(ids, default=0))
    large = len(parts) > 255
    header = (size - 1 | (id_size - 1) << 2 | large << 4) << 2 | 2
    packed = [each.to_bytes(id_size, "little") for each in ids]
    return _container(header, large, len(parts), packed, offsets, size, parts)


def _container(
    header: int,
    large: bool,
    count: int,
    ids: list[bytes],
    offsets: list[int],
    size: int,
    parts: list[bytes],
) -> bytes:
    head = bytes([header]) + count.to_bytes(4 if large else 1, "little")
    packed = [offset.to_bytes(size, "little") for offset in offsets]
    return b"".join((head, *ids, *packed, *parts))


def _encoded_text(data: bytes) -> bytes:
    if len(data) < _SHORT_TEXT_BYTES:
        return bytes([len(data) << 2 | 1]) + data
    return bytes([_TEXT << 2]) + len(data).to_bytes(4, "little") + data


def _encoded_number(value: float | decimal.Decimal) -> bytes:
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return _encoded_integer(value)
        if abs(value) < 10**MAX_DIGITS:
            return bytes([_DECIMAL16 << 2, 0]) + value.to_bytes(16, "little", signed=True)
        value = float(value) if abs(value) < 10**308 else math.copysign(math.inf, value)
    return bytes([_DOUBLE << 2]) + struct.pack("<d", value)


def _encoded_integer(value: int) -> bytes:
    for kind, size in ((3, 1), (4, 2), (5, 4)):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return bytes([kind << 2]) + value.to_bytes(size, "little", signed=True)
    return bytes([_INT64 << 2]) + value.to_bytes(8, "little", signed=True)
