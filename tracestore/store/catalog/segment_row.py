"""A segment as the catalog knows it, and a segment about to be added to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from tracestore.store.files import filenames

Ids = npt.NDArray[np.uint32]

# The catalog's names of the facts that are called otherwise here.
_COLUMN_OF_FACT: Final = {"table": "table_name", "file_key": "place"}


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """The facts of a segment that stand in the catalog as they are.

    Attributes:
        segment_id: ULID, the name of its file.
        table, project: of its rows.
        day: UTC days since 1970 of its first row.
        file_key: names its file in the folder or bucket of segments.
        rows: how many it has.
        bytes, crc: size and crc32 of the whole file; Parquet itself checks its pages only.
        tail_bytes, tail_crc: the same of the tail sidecar, None where there is none.
        words_bytes, words_crc: the same of the words sidecar.
        words_footer_crc: crc32 of its footer, which is read without the rest.
        raw_bytes: bytes of its rows in memory, which bound the cost of merging it.
        min_time_ns, max_time_ns: the least and the greatest time of its rows.
        created_ns: when it was written.
        cluster_columns: stored columns that its rows are sorted by before time, None where they are sorted by time.
    """

    segment_id: str
    table: str
    project: str
    day: int
    file_key: str
    rows: int
    bytes: int
    crc: int
    tail_bytes: int | None
    tail_crc: int | None
    words_bytes: int | None
    words_crc: int | None
    words_footer_crc: int | None
    raw_bytes: int
    min_time_ns: int
    max_time_ns: int
    created_ns: int
    cluster_columns: int | None

    def sidecars(self) -> Iterator[tuple[str, int]]:
        """Yields the key and bytes of each file beside the segment's own."""
        if self.tail_bytes is not None:
            yield filenames.tail_key(self.file_key), self.tail_bytes
        if self.words_bytes is not None:
            yield filenames.words_key(self.file_key), self.words_bytes

    def catalog_values(self) -> dict[str, Any]:
        """Returns the facts by the names of the catalog's columns."""
        return {column: getattr(self, name) for name, column in _COLUMNS.items()}


_COLUMNS: Final = {
    field.name: _COLUMN_OF_FACT.get(field.name, field.name) for field in fields(SegmentFacts)
}


@dataclass(frozen=True, slots=True)
class NewSegment(SegmentFacts):
    """A segment whose files are durable and which no transaction has named yet.

    Attributes:
        leaf_rows: rows by leaf column.
        tail_rows: rows by (path text, type) of the tail.
    """

    leaf_rows: Mapping[str, int]
    tail_rows: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class SegmentPaths:
    """The paths of a segment as ids of the catalog's paths.

    Attributes:
        leaf_ids: its leaf columns, sorted.
        leaf_rows: rows of each of them.
        tail_ids: paths of its tail that the catalog lists, sorted.
        tail_rows: rows of each of them.
    """

    leaf_ids: Ids
    leaf_rows: Ids
    tail_ids: Ids
    tail_rows: Ids

    @property
    def nbytes(self) -> int:
        """Returns the bytes that the numbers take."""
        return 8 * (len(self.leaf_ids) + len(self.tail_ids))


@dataclass(frozen=True, slots=True)
class SegmentRow(SegmentFacts):
    """A live or quarantined segment. Its id names it: what is known of a segment never changes while it is live.

    Attributes:
        version: of the catalog that named it.
        unlisted_paths: how many tail paths the catalog's bound left out; only the sidecar itself names them.
        fault: why it is quarantined, None where it is live.
    """

    version: int
    unlisted_paths: int
    fault: str | None

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> Self:
        """Returns a row of the catalog's table."""
        # Columns that an older catalog lacks are those of sidecars that its segments have not.
        facts: dict[str, Any] = {name: values.get(column) for name, column in _COLUMNS.items()}
        return cls(
            **facts,
            version=values["version"],
            unlisted_paths=values["unlisted_paths"],
            fault=values["fault"],
        )
