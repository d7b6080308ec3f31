"""A segment as the catalog knows it, and a segment about to be added to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class NewSegment:
    """A segment whose files are durable and which no transaction has named yet.

    `raw_bytes` are the bytes of its rows in memory, which bound the cost of merging it; `crc` and
    `tail_crc` are crc32 of the whole files: Parquet itself checks its pages only.
    """

    segment_id: str
    table: str
    project: str
    day: int
    place: str
    rows: int
    bytes: int
    crc: int
    tail_bytes: int | None
    tail_crc: int | None
    raw_bytes: int
    min_time_ns: int
    max_time_ns: int
    created_ns: int
    leaf_rows: Mapping[str, int]
    tail_rows: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A live or quarantined segment. `fault` says why it is quarantined.

    `leaf_ids` (sorted) name its leaf columns in the catalog's paths; `unlisted_paths` counts tail
    paths that the catalog's bound left out, which only the sidecar itself names.
    """

    segment_id: str
    table: str
    project: str
    day: int
    place: str
    rows: int
    bytes: int
    crc: int
    tail_bytes: int | None
    tail_crc: int | None
    raw_bytes: int
    min_time_ns: int
    max_time_ns: int
    created_ns: int
    version: int
    leaf_ids: Ids
    leaf_rows: Ids
    unlisted_paths: int
    fault: str | None
