"""Reads a WAL file: its frames, what is damaged between them, and where a torn tail begins."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracestore.store.wal import frames
from tracestore.store.wal.frames import FILE_HEADER_BYTES, FRAME_HEADER_BYTES, Frame, FrameHeader

_MARK: Final = frames.FRAME_MARK.to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """A frame and the half-open byte range [offset, end) that it fills."""

    offset: int
    end: int
    number: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Damage:
    """A byte range [offset, end) without a valid frame, though valid frames follow or may follow."""

    path: str
    offset: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class TornTail:
    """The end of a file from `offset` on: bytes of a write that a crash cut short."""

    path: str
    offset: int
    end: int


def read_wal(path: Path) -> Iterator[PlacedFrame | Damage | TornTail]:
    """Yields a file's content in order; memory is bounded by the largest frame.

    A damaged file header yields one Damage over the whole file: without its salt no frame can be
    told from bytes that look like one. A file shorter than its header yields a TornTail at 0.
    Raises FormatVersionError.
    """
    size = path.stat().st_size
    if size == 0:
        yield TornTail(str(path), 0, 0)
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if size < FILE_HEADER_BYTES:
            yield TornTail(str(path), 0, size)
            return
        header = frames.decode_file_header(data[:FILE_HEADER_BYTES], str(path))
        if header is None:
            yield Damage(str(path), 0, size, "file header is damaged")
            return
        yield from _frames(data, size, header[1], str(path))


def _frames(
    data: mmap.mmap, size: int, salt: int, path: str
) -> Iterator[PlacedFrame | Damage | TornTail]:
    position = FILE_HEADER_BYTES
    while position < size:
        header = _header_at(data, position, size, salt)
        if header is None:
            following = _next_frame(data, position + 1, size, salt)
            if following is None:
                yield TornTail(path, position, size)
                return
            yield Damage(path, position, following, "frame header is damaged")
            position = following
            continue
        end = position + header.frame_bytes
        frame = frames.decode_body(header, data[position + FRAME_HEADER_BYTES : end])
        if frame is not None:
            yield PlacedFrame(position, end, header.number, frame)
        elif end == size:
            yield TornTail(path, position, size)
        else:
            yield Damage(path, position, end, "frame body does not match its checksum")
        position = end


def _header_at(data: mmap.mmap, position: int, size: int, salt: int) -> FrameHeader | None:
    head = data[position : position + FRAME_HEADER_BYTES]
    header = frames.decode_frame_header(head, salt, position)
    if header is None or header.body_bytes > size - position - FRAME_HEADER_BYTES:
        return None
    return header


def _next_frame(data: mmap.mmap, start: int, size: int, salt: int) -> int | None:
    position = data.find(_MARK, start)
    while position >= 0:
        if _header_at(data, position, size, salt) is not None:
            return position
        position = data.find(_MARK, position + 1)
    return None
