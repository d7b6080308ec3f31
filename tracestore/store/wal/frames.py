"""The bytes of a WAL file: header and frames. Specification: docs/format/wal.md.

Knows no files and no policy; `log` writes it, `reading` reads it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from tracestore.content_types import JSON, NDJSON, PROTOBUF
from tracestore.errors import FormatVersionError

MAGIC: Final = b"TSWAL\r\n\x1a"
VERSION: Final = 1
READABLE: Final = frozenset({1})

FILE_HEADER: Final = struct.Struct("<8sHHQQI")  # magic, version, flags, sequence, salt, crc32
FILE_HEADER_BYTES: Final = FILE_HEADER.size

FRAME_MARK: Final = 0x4D524654  # b"TFRM" read as u32le: where a reader looks on after damage
FRAME_HEADER: Final = struct.Struct("<IIQqBBBBHHII")
FRAME_HEADER_BYTES: Final = FRAME_HEADER.size
_CHECKED_FROM: Final = 8  # the frame header's own checksum covers the bytes from here on
_PLACE: Final = struct.Struct("<QQ")  # salt, offset: a frame copied elsewhere is not a frame

NO_EXPERIMENT: Final = 0xFFFF

KINDS: Final = {1: "otlp", 2: "rows"}
TABLES: Final = {1: "spans", 2: "logs", 3: "json", 4: "dataset_rows"}
CONTENT_TYPES: Final = {
    1: PROTOBUF,
    2: JSON,
    3: NDJSON,
}
ENCODINGS: Final = {0: "identity", 1: "gzip", 2: "deflate", 3: "zstd"}

_KIND_CODES: Final = {name: code for code, name in KINDS.items()}
_TABLE_CODES: Final = {name: code for code, name in TABLES.items()}
_CONTENT_TYPE_CODES: Final = {name: code for code, name in CONTENT_TYPES.items()}
_ENCODING_CODES: Final = {name: code for code, name in ENCODINGS.items()}


@dataclass(frozen=True, slots=True)
class Frame:
    """One acknowledged request: the payload as received, and what is needed to shred it again."""

    kind: str
    table: str
    content_type: str
    content_encoding: str
    project: str
    experiment: str | None
    received_ns: int
    payload: bytes


def encode_file_header(sequence: int, salt: int) -> bytes:
    """Returns the header of a WAL file."""
    head = FILE_HEADER.pack(MAGIC, VERSION, 0, sequence, salt, 0)
    return head[:-4] + zlib.crc32(head[:-4]).to_bytes(4, "little")


def decode_file_header(data: bytes, path: str) -> tuple[int, int] | None:
    """Returns (sequence, salt), or None where the header is damaged.

    Raises FormatVersionError for an undamaged header of a version this code cannot read.
    """
    if len(data) < FILE_HEADER_BYTES:
        return None
    magic, version, _, sequence, salt, checksum = FILE_HEADER.unpack_from(data)
    if magic != MAGIC or zlib.crc32(data[: FILE_HEADER_BYTES - 4]) != checksum:
        return None
    if version not in READABLE:
        raise FormatVersionError(
            f"cannot read {path}: unexpected WAL version; got {version}; want "
            f"{', '.join(map(str, sorted(READABLE)))}; open it with a newer tracestore"
        )
    return sequence, salt


def encode_frame(frame: Frame, number: int, salt: int, offset: int) -> bytes:
    """Returns the bytes of a frame that begins at an offset of a file."""
    project = frame.project.encode("utf-8", "surrogatepass")
    experiment = (
        b"" if frame.experiment is None else frame.experiment.encode("utf-8", "surrogatepass")
    )
    body_crc = zlib.crc32(frame.payload, zlib.crc32(experiment, zlib.crc32(project)))
    head = FRAME_HEADER.pack(
        FRAME_MARK,
        0,
        number,
        frame.received_ns,
        _KIND_CODES[frame.kind],
        _TABLE_CODES[frame.table],
        _CONTENT_TYPE_CODES[frame.content_type],
        _ENCODING_CODES[frame.content_encoding],
        len(project),
        NO_EXPERIMENT if frame.experiment is None else len(experiment),
        len(frame.payload),
        body_crc,
    )
    checked = head[_CHECKED_FROM:]
    checksum = _header_crc(checked, salt, offset)
    mark = FRAME_MARK.to_bytes(4, "little") + checksum.to_bytes(4, "little")
    return b"".join((mark, checked, project, experiment, frame.payload))


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The fixed part of a frame, whose own checksum was right."""

    number: int
    received_ns: int
    kind: int
    table: int
    content_type: int
    content_encoding: int
    project_bytes: int
    experiment_bytes: int
    payload_bytes: int
    body_crc: int

    @property
    def frame_bytes(self) -> int:
        """Returns the bytes of the whole frame."""
        return FRAME_HEADER_BYTES + self.body_bytes

    @property
    def body_bytes(self) -> int:
        """Returns the bytes of project, experiment and payload."""
        experiment = 0 if self.experiment_bytes == NO_EXPERIMENT else self.experiment_bytes
        return self.project_bytes + experiment + self.payload_bytes


def decode_frame_header(data: bytes, salt: int, offset: int) -> FrameHeader | None:
    """Returns the frame header at an offset of a file, None where there is none or it is damaged."""
    if len(data) < FRAME_HEADER_BYTES:
        return None
    mark, checksum, *fields = FRAME_HEADER.unpack_from(data)
    if mark != FRAME_MARK or checksum != _header_crc(
        data[_CHECKED_FROM:FRAME_HEADER_BYTES], salt, offset
    ):
        return None
    return FrameHeader(*fields)


def decode_body(header: FrameHeader, body: bytes) -> Frame | None:
    """Returns the frame, or None where the body's checksum is wrong or a code is unknown."""
    if len(body) != header.body_bytes or zlib.crc32(body) != header.body_crc:
        return None
    try:
        kind = KINDS[header.kind]
        table = TABLES[header.table]
        content_type = CONTENT_TYPES[header.content_type]
        encoding = ENCODINGS[header.content_encoding]
    except KeyError:
        return None
    experiment_end = len(body) - header.payload_bytes
    experiment = body[header.project_bytes : experiment_end].decode("utf-8", "surrogatepass")
    return Frame(
        kind=kind,
        table=table,
        content_type=content_type,
        content_encoding=encoding,
        project=body[: header.project_bytes].decode("utf-8", "surrogatepass"),
        experiment=None if header.experiment_bytes == NO_EXPERIMENT else experiment,
        received_ns=header.received_ns,
        payload=body[experiment_end:],
    )


def _header_crc(checked: bytes, salt: int, offset: int) -> int:
    return zlib.crc32(checked, zlib.crc32(_PLACE.pack(salt, offset)))
