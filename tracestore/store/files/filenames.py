"""All names on disk: what a store's folder contains and how the key of a segment's file is built.

LOCK  NODE  uploads/<ulid>  catalog.sqlite  wal/<20 digits>.wal  readers/<ulid>.lease  cache/
groups/<ulid of a segment>-<32 hex digits>.groups: what queries keep of segments
asked.json: which columns queries compare
set-aside/<as below segments>: complete segments that the catalog does not name
segments/<table>/<project>/<yyyy-mm-dd>/<ulid>.parquet (+ <ulid>.tail, <ulid>.words)
"""

from __future__ import annotations

import datetime
import hashlib
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

LOCK: Final = "LOCK"
NODE: Final = "NODE"
UPLOADS_FOLDER: Final = "uploads"
CATALOG: Final = "catalog.sqlite"
WAL_FOLDER: Final = "wal"
SEGMENTS_FOLDER: Final = "segments"
READERS_FOLDER: Final = "readers"
CACHE_FOLDER: Final = "cache"
GROUPS_FOLDER: Final = "groups"
ASKED_COLUMNS: Final = "asked.json"
SET_ASIDE_FOLDER: Final = "set-aside"

SEGMENT_SUFFIX: Final = ".parquet"
# No sidecar ends as a segment does, so that `*.parquet` names files of rows and no others.
TAIL_SUFFIX: Final = ".tail"
FORMER_TAIL_SUFFIX: Final = ".tail.parquet"
WORDS_SUFFIX: Final = ".words"
TEMPORARY_SUFFIX: Final = ".tmp"
LEASE_SUFFIX: Final = ".lease"
GROUPS_SUFFIX: Final = ".groups"

_WAL = re.compile(r"^(\d{20})\.wal$")
_FOLDER_BYTES: Final = 120  # a path component may hold 255; leaves room for any file system

_EPOCH = datetime.date(1970, 1, 1)
_FIRST_DAY = (datetime.date.min - _EPOCH).days
_LAST_DAY = (datetime.date.max - _EPOCH).days
NS_PER_DAY: Final = 86_400 * 1_000_000_000


def wal_name(sequence: int) -> str:
    """Returns the name of the WAL file with this sequence number."""
    return f"{sequence:020d}.wal"


def wal_sequence(name: str) -> int | None:
    """Returns a WAL file's sequence number, or None where the name is not one of a WAL file."""
    match = _WAL.match(name)
    return int(match.group(1)) if match else None


def damaged(path: Path) -> Path:
    """Returns the name that a damaged log file is kept under."""
    return path.with_name(path.name + ".damaged")


def project_folder(project: str) -> str:
    """Returns a folder name for a project: percent-encoded, and cut with a hash where it is long.

    The name need not be turned back: the catalog and the footer hold the project itself.
    """
    encoded = quote(
        project, safe="-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    )
    encoded = encoded.replace(".", "%2E")
    if encoded and len(encoded) <= _FOLDER_BYTES:
        return encoded
    digest = hashlib.blake2b(project.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{encoded[: _FOLDER_BYTES - 20]}%~{digest}"


def day_of(time_ns: int) -> int:
    """Returns the number of the UTC day since 1970 that a time lies in."""
    return time_ns // NS_PER_DAY


def day_text(day: int) -> str:
    """Returns a day as yyyy-mm-dd."""
    bounded = min(max(day, _FIRST_DAY), _LAST_DAY)
    return (_EPOCH + datetime.timedelta(days=bounded)).isoformat()


def segment_key(table: str, project: str, day: int, segment_id: str) -> str:
    """Returns the key of a segment's file: its path below the segments folder, with forward slashes."""
    return f"{table}/{project_folder(project)}/{day_text(day)}/{segment_id}{SEGMENT_SUFFIX}"


def tail_key(key: str) -> str:
    """Returns the key of a segment's tail sidecar."""
    return key.removesuffix(SEGMENT_SUFFIX) + TAIL_SUFFIX


def former_tail_key(key: str) -> str:
    """Returns the key that a tail sidecar has where an older version wrote it."""
    return key.removesuffix(SEGMENT_SUFFIX) + FORMER_TAIL_SUFFIX


def words_key(key: str) -> str:
    """Returns the key of a segment's words sidecar."""
    return key.removesuffix(SEGMENT_SUFFIX) + WORDS_SUFFIX


def groups_name(segment_id: str, name: str) -> str:
    """Returns the name of the file of kept groups of a segment."""
    return f"{segment_id}-{name}{GROUPS_SUFFIX}"


def segment_of_groups(name: str) -> str | None:
    """Returns the id of the segment that a file of kept groups is of, None where the name is not one of these."""
    segment_id, dash, _ = name.partition("-")
    return segment_id if dash and name.endswith(GROUPS_SUFFIX) else None


def temporary(path: Path) -> Path:
    """Returns the name a file has until it is complete and synced."""
    return path.with_name(path.name + TEMPORARY_SUFFIX)
