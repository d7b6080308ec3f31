"""File systems by URL: object stores as Arrow knows them, and how their URLs are shown."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from tracestore.errors import StoreFailedError

_TIMEOUTS: Final = ("connect_timeout", "request_timeout")


def connect(url: str) -> tuple[pafs.FileSystem, str]:
    """Returns the file system of a URL and the path in it; raises StoreFailedError."""
    try:
        if url.startswith("s3://"):
            return _connect_s3(url)
        remote, root = pafs.FileSystem.from_uri(url)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise StoreFailedError(f"cannot open {shown_url(url)}: {error}") from error
    return remote, root.rstrip("/")


def _connect_s3(url: str) -> tuple[pafs.FileSystem, str]:
    """Connects to `s3://[key:secret@]bucket/prefix?region=&scheme=&endpoint_override=…`."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if "endpoint_override" in options:
        # Servers that speak S3 refuse the checksum trailers (no Content-Length) that Amazon's own
        # takes; the SDK is told so by its environment only. Segments carry checksums of their own.
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "WHEN_REQUIRED")
    seconds = {name: float(options.pop(name)) for name in _TIMEOUTS if name in options}
    remote = pafs.S3FileSystem(
        access_key=unquote(parts.username) if parts.username else None,
        secret_key=unquote(parts.password) if parts.password else None,
        # Arrow's default is ten attempts; a flush that fails is tried again by its own caller.
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=2),
        **options,
        **seconds,
    )
    return remote, f"{parts.hostname}{parts.path}".rstrip("/")


def shown_url(url: str) -> str:
    """Returns a URL for messages: without user, password and options."""
    parts = urlsplit(url)
    file_key = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{file_key}{parts.path}".rstrip("/")
