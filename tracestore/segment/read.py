"""Reads a segment with every page's checksum verified, and says what is wrong in one error type."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tracestore.errors import CorruptionError, StoreMissingError
from tracestore.segment.footer import Footer, decode_footer
from tracestore.segment.item_columns import item_columns

_CRC_BYTES: Final = 4 * 1024 * 1024


class SegmentFile:
    """An open segment or tail file. Raises CorruptionError for whatever Parquet cannot read.

    Attributes:
        footer: what the file says of itself.
        rows: of the file.
        item_columns: names of the columns that follow from others; rows are read without them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _named(path):
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
        try:
            self.footer: Footer = decode_footer(self._file.metadata, str(path))
        except BaseException:
            self._file.close()
            raise
        self.rows: int = self._file.metadata.num_rows
        names: list[str] = self._file.schema_arrow.names
        self.item_columns: tuple[str, ...] = (
            tuple(item_columns(names)) if self.footer.item_columns else ()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def metadata(self) -> pq.FileMetaData:
        """Returns Parquet's own metadata."""
        return self._file.metadata

    @property
    def schema(self) -> pa.Schema:
        """Returns the columns as Arrow types, without the item columns."""
        schema: pa.Schema = self._file.schema_arrow
        for name in self.item_columns:
            schema = schema.remove(schema.get_field_index(name))
        return schema

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Returns these columns of all rows."""
        with _named(self.path):
            return self._file.read(columns=list(names), use_threads=False)

    def rows_at(self, numbers: npt.NDArray[np.int64], names: Sequence[str]) -> pa.Table:
        """Returns those of these columns that the file has, of rows by number, ascending.

        Row groups without such a row are not read.
        """
        present = [name for name in names if name in self.schema.names]
        taken: list[pa.Table] = []
        first = 0
        for group in range(self._file.num_row_groups):
            stop = first + self._file.metadata.row_group(group).num_rows
            low, high = np.searchsorted(numbers, [first, stop]).tolist()
            if low < high:
                with _named(self.path):
                    table = self._file.read_row_group(group, columns=present, use_threads=False)
                taken.append(table.take(pa.array(numbers[low:high] - first)))
            first = stop
        return pa.concat_tables(taken) if taken else self.schema.empty_table().select(present)

    def times(self, column: str) -> npt.NDArray[np.int64]:
        """Returns an integer column of all rows."""
        values: npt.NDArray[np.int64] = self.columns([column]).column(0).to_numpy()
        return values

    def slices(
        self, start: int = 0, stop: int | None = None, *, indexed: bool = False
    ) -> Iterator[pa.Table]:
        """Yields the rows [start, stop), a row group at a time.

        `indexed` leaves texts that were written with a dictionary as they are, so that repeated ones
        are in memory once.
        """
        if indexed:
            with _named(self.path), self._indexed() as file:
                yield from self._slices(file, start, stop)
        else:
            yield from self._slices(self._file, start, stop)

    def _indexed(self) -> pq.ParquetFile:
        metadata = self._file.metadata
        return pq.ParquetFile(
            self.path,
            metadata=metadata,
            read_dictionary=_dictionary_columns(metadata),
            page_checksum_verification=True,
        )

    def _slices(self, file: pq.ParquetFile, start: int, stop: int | None) -> Iterator[pa.Table]:
        end = self.rows if stop is None else stop
        names = self.schema.names if self.item_columns else None
        first = 0
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            low, high = max(start - first, 0), min(end - first, rows)
            if low < high:
                with _named(self.path):
                    group = file.read_row_group(number, columns=names, use_threads=False)
                yield group.slice(low, high - low)
            first += rows

    def verify(self) -> None:
        """Reads every page; raises CorruptionError at the first that is damaged."""
        for _ in self.slices():
            pass
        if self.item_columns:
            self.columns(self.item_columns)


def _dictionary_columns(metadata: pq.FileMetaData) -> list[str]:
    """Returns the texts that were written with a dictionary: read so, repeated ones stay shared."""
    if metadata.num_row_groups == 0:
        return []
    group = metadata.row_group(0)
    chunks = (group.column(number) for number in range(metadata.num_columns))
    return [
        chunk.path_in_schema
        for chunk in chunks
        if chunk.physical_type == "BYTE_ARRAY" and "RLE_DICTIONARY" in chunk.encodings
    ]


def file_crc(path: Path) -> int:
    """Returns crc32 of a whole file; raises StoreMissingError or CorruptionError."""
    crc = 0
    with _named(path), path.open("rb") as file:
        while chunk := file.read(_CRC_BYTES):
            crc = zlib.crc32(chunk, crc)
    return crc


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StoreMissingError(
            f"cannot read {path}: no such file; restore it from a backup"
        ) from error
    except MemoryError as error:
        # A damaged length field asks for absurd amounts; real shortage is no different to the caller.
        raise CorruptionError(str(path), f"cannot read Parquet: {error}") from error
    except (OSError, pa.ArrowException, ValueError) as error:
        raise CorruptionError(str(path), f"cannot read Parquet: {error}") from error
