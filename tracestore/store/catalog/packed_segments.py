"""What the catalog knows of many segments, as arrays: about 150 bytes for each, and no Python object."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from tracestore.store.catalog.path_ids import Owner
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.files import filenames

NUMBERS: Final = (
    "day",
    "rows",
    "bytes",
    "crc",
    "tail_bytes",
    "tail_crc",
    "words_bytes",
    "words_crc",
    "words_footer_crc",
    "raw_bytes",
    "min_time_ns",
    "max_time_ns",
    "created_ns",
    "cluster_columns",
    "version",
    "unlisted_paths",
)
"""The facts that are numbers, in the order of the array's columns."""

NONE: Final = -1
"""What stands for a fact that a segment has not; none of them is ever negative but times, which all have."""

_SUFFIX: Final = filenames.SEGMENT_SUFFIX

_NULLABLE: Final = tuple(
    NUMBERS.index(name)
    for name in (
        *("tail_bytes", "tail_crc", "words_bytes", "words_crc", "words_footer_crc"),
        "cluster_columns",
    )
)
_AT: Final = {name: at for at, name in enumerate(NUMBERS)}


@dataclass(frozen=True, slots=True)
class PackedSegments:
    """Live segments of one table and project.

    Attributes:
        owner: the table and the project.
        ids: their ULIDs.
        numbers: a row for each, a column for each name of `NUMBERS`.
        places: keys of files that are not where a segment's usually is, by id.
    """

    owner: Owner
    ids: npt.NDArray[np.bytes_]
    numbers: npt.NDArray[np.int64]
    places: Mapping[str, str]

    @classmethod
    def of(cls, owner: Owner, rows: Sequence[SegmentRow]) -> Self:
        """Returns rows as arrays."""
        numbers = np.empty((len(rows), len(NUMBERS)), np.int64)
        for at, row in enumerate(rows):
            numbers[at] = [
                NONE if (value := getattr(row, name)) is None else value for name in NUMBERS
            ]
        ids = np.array([row.segment_id for row in rows], "S26")
        places = {
            row.segment_id: row.file_key
            for row in rows
            if row.file_key != _folder(*owner, row.day) + row.segment_id + _SUFFIX
        }
        return cls(owner, ids, numbers, places)

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> npt.NDArray[np.int64]:
        """Returns one fact of every segment."""
        return self.numbers[:, _AT[name]]

    def slice(self, start: int, stop: int) -> PackedSegments:
        """Returns some of them, which share the memory."""
        return PackedSegments(
            self.owner, self.ids[start:stop], self.numbers[start:stop], self.places
        )

    def rows(self) -> list[SegmentRow]:
        """Returns all as objects."""
        return [self.row(at) for at in range(len(self))]

    def row(self, at: int) -> SegmentRow:
        """Returns one as an object."""
        values: list[Any] = self.numbers[at].tolist()
        for number in _NULLABLE:
            if values[number] == NONE:
                values[number] = None
        table, project = self.owner
        segment_id = self.ids[at].decode()
        place = self.places.get(segment_id) if self.places else None
        return SegmentRow(
            segment_id=segment_id,
            table=table,
            project=project,
            file_key=place or _folder(table, project, values[0]) + segment_id + _SUFFIX,
            fault=None,
            **dict(zip(NUMBERS, values, strict=True)),
        )


@functools.lru_cache(maxsize=16_384)
def _folder(table: str, project: str, day: int) -> str:
    """Returns what the keys of the segments of a day begin with."""
    return filenames.segment_key(table, project, day, "").removesuffix(_SUFFIX)


class Packing:
    """The rows of the catalog as its driver gives them, gathered a chunk at a time."""

    def __init__(self) -> None:
        self._owners: dict[Owner, int] = {}
        self._codes: list[npt.NDArray[np.int32]] = []
        self._ids: list[npt.NDArray[np.bytes_]] = []
        self._places: dict[str, str] = {}
        self._numbers: list[npt.NDArray[np.int64]] = []

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Takes rows of (id, table, project, place, then every one of `NUMBERS`)."""
        ids, tables, projects, places, *numbers = zip(*rows, strict=True)
        owners = self._owners
        codes = [
            owners.setdefault(owner, len(owners)) for owner in zip(tables, projects, strict=True)
        ]
        self._codes.append(np.array(codes, np.int32))
        self._ids.append(np.array(ids, "S26"))
        usual = map(_folder, tables, projects, numbers[0])
        self._places |= {
            segment_id: place
            for segment_id, place, folder in zip(ids, places, usual, strict=True)
            if place != f"{folder}{segment_id}{_SUFFIX}"
        }
        self._numbers.append(np.array(numbers, np.int64).T)

    def packed(self) -> Iterable[PackedSegments]:
        """Yields the segments of each table and project, in order of day, first time and id."""
        if not self._ids:
            return
        codes, ids = np.concatenate(self._codes), np.concatenate(self._ids)
        numbers = np.ascontiguousarray(np.concatenate(self._numbers))
        order = np.lexsort((ids, numbers[:, _AT["min_time_ns"]], numbers[:, _AT["day"]], codes))
        ends = np.cumsum(np.bincount(codes, minlength=len(self._owners)))
        start = 0
        for owner, end in zip(self._owners, ends.tolist(), strict=True):
            own = order[start:end]
            yield PackedSegments(owner, ids[own], numbers[own], self._places)
            start = end
