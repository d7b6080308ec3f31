"""Finds the shared corpus of real data, which a fresh clone has not.

Tests skip, with a reason, where it is missing. TRACESTORE_SHARED_DATA names its folder; without
it the folder `../shared/data` beside the repository is looked at.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]


def root() -> Path | None:
    """Returns the folder of the shared corpus, or None."""
    named = os.environ.get("TRACESTORE_SHARED_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def require(*parts: str) -> Path:
    """Returns a file or folder of the corpus; skips the test where it is missing."""
    folder = root()
    if folder is None:
        pytest.skip("no shared data: set TRACESTORE_SHARED_DATA")
    path = folder.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the shared data has no {'/'.join(parts)}")
    return path


def names(pattern: str) -> list[str]:
    """Returns the corpus files that match a glob, by relative name; one marker if none."""
    folder = root()
    if folder is None:
        return ["(no shared data)"]
    found = [str(path.relative_to(folder)) for path in folder.glob(pattern)]
    return sorted(found) or [f"(none match {pattern})"]


def read(path: Path) -> bytes:
    """Returns the bytes of a file, decompressed."""
    data = path.read_bytes()
    if path.suffix != ".zst":
        return data
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def requests(path: Path) -> Iterator[bytes]:
    """Yields the bodies of a `.pbs.zst` file: (varint length, request) pairs."""
    data = read(path)
    position = 0
    while position < len(data):
        length = shift = 0
        while True:
            byte = data[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield data[position : position + length]
        position += length


def is_json(data: bytes) -> bool:
    """Tells whether a file's bytes are one JSON value."""
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
