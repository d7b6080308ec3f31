"""File systems by URL: object stores as Arrow knows them, and how their URLs are shown."""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from tracestore.errors import StoreFailedError

_SECONDS: Final = frozenset({"connect_timeout", "request_timeout"})
_FLAGS: Final = frozenset({"allow_bucket_creation", "anonymous", "force_virtual_addressing"})
_TEXTS: Final = frozenset(
    {
        "endpoint_override",
        "external_id",
        "region",
        "role_arn",
        "scheme",
        "session_name",
        "session_token",
        "tls_ca_file_path",
    }
)
"""Options of S3 by what they are: numbers of seconds, true or false, or texts."""

_OF_BUCKETS: Final = frozenset({"gcs", "gs", "s3"})
"""Schemes that name a bucket, which has no port; others name a host, which may have one."""

_WITHOUT_KEYS: Final = frozenset({"", "file", "hdfs", "viewfs"})
"""Schemes whose URLs have no secret."""


def connect(url: str) -> tuple[pafs.FileSystem, str]:
    """Returns the file system of a URL and the path in it; raises StoreFailedError, which tells no secret of it."""
    parts = _parts(url)
    try:
        if parts.scheme == "s3":
            return _connect_s3(parts)
        remote, root = pafs.FileSystem.from_uri(url)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        told = _without_secrets(str(error), url, parts)
        raise StoreFailedError(f"cannot open {shown_url(url)}: {told}") from None
    return remote, root.rstrip("/")


def shown_url(url: str) -> str:
    """Returns a URL for messages: without user, password and options."""
    parts = _parts(url)
    return f"{parts.scheme}://{_bucket(parts)}{parts.path}".rstrip("/")


def _parts(url: str) -> SplitResult:
    """Returns the parts of a URL.

    Raises StoreFailedError where a key or secret may stand in the wrong part: it would be sent and shown as a name.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = SplitResult("s3", "", "", "", "")
    place, colon, port = _bucket(parts).partition(":")
    is_odd = colon and (parts.scheme in _OF_BUCKETS or not port.isdecimal())
    # The @ behind a secret comes after a slash of that secret.
    is_cut = "@" in parts.path and ("@" in parts.netloc or colon)
    if parts.scheme not in _WITHOUT_KEYS and (not place or is_odd or is_cut):
        raise StoreFailedError(
            "cannot open bucket: want SCHEME://[KEY:SECRET@]BUCKET/PREFIX[?OPTIONS]; write / ? # @ : of "
            "a key or secret as %2F %3F %23 %40 %3A, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return parts


def _bucket(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _without_secrets(text: str, url: str, parts: SplitResult) -> str:
    """Returns what a library says, without the secrets of a URL, as they are written there and as they are meant."""
    token = dict(parse_qsl(parts.query)).get("session_token", "")
    written = [url, parts.netloc.rpartition("@")[0], parts.password or "", token]
    for secret in sorted({*written, *map(unquote, written)} - {""}, key=len, reverse=True):
        text = text.replace(secret, shown_url(url) if secret == url else "***")
    return text


def _connect_s3(parts: SplitResult) -> tuple[pafs.FileSystem, str]:
    """Connects to `s3://[key:secret@]bucket/prefix?region=&scheme=&endpoint_override=…`."""
    options = {name: _option(name, value) for name, value in parse_qsl(parts.query)}
    if "endpoint_override" in options:
        # Servers that speak S3 refuse the checksum trailers (no Content-Length) that Amazon's own
        # takes; the SDK is told so by its environment only. Segments carry checksums of their own.
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "WHEN_REQUIRED")
    remote = pafs.S3FileSystem(
        access_key=unquote(parts.username) if parts.username else None,
        secret_key=unquote(parts.password) if parts.password else None,
        # Arrow's default is ten attempts; a flush that fails is tried again by its own caller.
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=2),
        **options,
    )
    return remote, f"{_bucket(parts)}{parts.path}".rstrip("/")


def _option(name: str, value: str) -> Any:
    """Returns the value of an option of a URL; raises ValueError where there is none of its name or kind."""
    if name in _TEXTS:
        return value
    if name in _SECONDS:
        return float(value)
    if name in _FLAGS and value in {"true", "false"}:
        return value == "true"
    if name in _FLAGS:
        raise ValueError(f"option {name} is true or false")
    known = ", ".join(sorted(_TEXTS | _SECONDS | _FLAGS))
    raise ValueError(f"there is no option {name!r}; want some of {known}")
