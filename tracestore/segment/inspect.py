"""Describes a segment or tail file field by field, for people and for golden tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracestore.segment.footer import Footer
from tracestore.segment.read import SegmentFile


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    """One Parquet column over all row groups. Bytes are compressed ones, the dictionary included."""

    name: str
    physical_type: str
    encodings: tuple[str, ...]
    bytes: int
    nulls: int


@dataclass(frozen=True, slots=True)
class SegmentDescription:
    """The contents of a file, as `tracestore inspect` shows them."""

    path: Path
    file_bytes: int
    footer_bytes: int
    footer: Footer
    row_groups: tuple[int, ...]
    columns: tuple[ColumnDescription, ...]

    def lines(self) -> Iterator[str]:
        """Yields the description as text, a line each."""
        yield f"file            {self.path.name}"
        yield f"file_bytes      {self.file_bytes}"
        yield f"footer_bytes    {self.footer_bytes}"
        for name in Footer.__slots__:
            yield f"{name:<16}{getattr(self.footer, name)}"
        yield f"row_groups      {' '.join(map(str, self.row_groups))}"
        width = max(len(column.name) for column in self.columns)
        yield f"{'column':<{width}}  {'type':<12}{'bytes':>12}{'nulls':>12}  encodings"
        for column in self.columns:
            numbers = f"{column.bytes:>12}{column.nulls:>12}"
            encodings = " ".join(column.encodings)
            yield f"{column.name:<{width}}  {column.physical_type:<12}{numbers}  {encodings}"


def describe(path: Path) -> SegmentDescription:
    """Returns the description of a segment or tail file; reads its footer only.

    Raises CorruptionError, FormatVersionError or StoreMissingError.
    """
    with SegmentFile(path) as file:
        metadata = file.metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        columns = []
        for number in range(metadata.num_columns):
            chunks = [group.column(number) for group in groups]
            nulls = sum(
                chunk.statistics.null_count or 0 for chunk in chunks if chunk.statistics is not None
            )
            columns.append(
                ColumnDescription(
                    name=metadata.schema.column(number).path,
                    physical_type=metadata.schema.column(number).physical_type,
                    encodings=tuple(sorted({name for chunk in chunks for name in chunk.encodings})),
                    bytes=sum(chunk.total_compressed_size for chunk in chunks),
                    nulls=nulls,
                )
            )
        return SegmentDescription(
            path=path,
            file_bytes=path.stat().st_size,
            footer_bytes=metadata.serialized_size,
            footer=file.footer,
            row_groups=tuple(group.num_rows for group in groups),
            columns=tuple(columns),
        )
