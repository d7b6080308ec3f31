"""Decompression of request bodies with a bound that is counted while decompressing."""

from __future__ import annotations

import zlib
from typing import Final

import pyarrow as pa

from tracestore.errors import LimitExceededError, PayloadError, UnsupportedPayloadError

_STEP_BYTES: Final = 1024 * 1024  # output produced between two looks at the bound

# Members of one gzip body; each copies what is left, and senders make one.
_MAX_MEMBERS: Final = 1024

# gzip and deflate grow at most 1,032 times; zstd may grow more, and is bounded by the largest size alike.
_MAX_EXPANSION: Final = 1100

_IDENTITY_NAMES: Final = ("", "identity", "none")

# Names as in HTTP's Content-Encoding.
ENCODINGS: Final = ("identity", "gzip", "deflate", "zstd")


def normal_encoding(encoding: str | None) -> str:
    """Returns the encoding's one name; raises UnsupportedPayloadError for an unknown one."""
    name = (encoding or "identity").strip().lower()
    if name in _IDENTITY_NAMES:
        return "identity"
    name = {"x-gzip": "gzip", "zlib": "deflate"}.get(name, name)
    if name not in ENCODINGS:
        raise UnsupportedPayloadError(
            f"cannot read payload: unexpected content encoding; got {name!r}; want {', '.join(ENCODINGS)}"
        )
    return name


def largest_plain_bytes(body_bytes: int, encoding: str | None, max_bytes: int) -> int:
    """Returns what a body of a size may take decompressed, before anything of it is read."""
    if (encoding or "identity").strip().lower() in _IDENTITY_NAMES:
        return body_bytes
    return min(max_bytes, body_bytes * _MAX_EXPANSION)


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Returns the decompressed body.

    Raises LimitExceededError as soon as more than `max_bytes` came out (a bomb stops early), and
    PayloadError where the compressed data is broken, cut short, or followed by other bytes.
    """
    if encoding == "identity":
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        return body
    if encoding == "zstd":
        return _zstd(body, max_bytes)
    return _zlib(body, encoding, max_bytes)


def _zlib(body: bytes, encoding: str, max_bytes: int) -> bytes:
    window = 15 + 32 if encoding == "gzip" else 15  # gzip: also accepts a zlib header
    if encoding == "deflate" and not _has_zlib_header(body):
        window = -15  # some senders call the raw stream deflate
    parts: list[bytes] = []
    produced = 0
    rest = body
    members = 0
    while rest:
        members += 1
        if members > _MAX_MEMBERS:
            raise PayloadError(
                f"more than {_MAX_MEMBERS} {encoding} members", len(body) - len(rest)
            )
        inflater = zlib.decompressobj(window)
        while not inflater.eof:
            try:
                part = inflater.decompress(rest, _STEP_BYTES)
            except zlib.error as error:
                raise PayloadError(
                    f"broken {encoding} data: {error}", len(body) - len(rest)
                ) from error
            produced += len(part)
            if produced > max_bytes:
                raise _too_large(max_bytes)
            parts.append(part)
            rest = inflater.unconsumed_tail
            if not (rest or part or _ended(inflater)):
                raise PayloadError(f"{encoding} data ends early", len(body))
        rest = inflater.unused_data
        if rest and encoding != "gzip":
            raise PayloadError(f"bytes after the end of {encoding} data", len(body) - len(rest))
    return b"".join(parts)


def _ended(inflater: zlib._Decompress) -> bool:
    return inflater.eof


def _has_zlib_header(body: bytes) -> bool:
    if len(body) < 2:
        return False
    method, head = body[0] & 0x0F, int.from_bytes(body[:2], "big")
    return method == 8 and head % 31 == 0


def _zstd(body: bytes, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    produced = 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while part := stream.read(_STEP_BYTES):
                produced += len(part)
                if produced > max_bytes:
                    raise _too_large(max_bytes)
                parts.append(part)
    except (OSError, pa.ArrowException) as error:
        raise PayloadError(f"broken zstd data: {error}") from error
    return b"".join(parts)


def _too_large(max_bytes: int) -> LimitExceededError:
    return LimitExceededError(
        f"cannot read payload: more than {max_bytes} bytes after decompression; send smaller batches"
    )
