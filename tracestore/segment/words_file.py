"""Reads a words sidecar: which rows of its segment may hold a word. Specification: docs/format/words.md."""

from __future__ import annotations

import bisect
import contextlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tracestore.errors import CorruptionError, FormatVersionError, StoreMissingError
from tracestore.segment.footer import decode_footer
from tracestore.segment.words import COLUMNS_KEY, FORMAT_KEY, SCHEMA, WORDS_FORMAT
from tracestore.variant import decode_list, may_be_in_filter

Rows = npt.NDArray[np.int64]

NO_ROWS: Final[Rows] = np.empty(0, np.int64)

ANY_WORD: Final = ""

# Bytes read from the end of a file to find its footer: that of 100 row groups.
_FOOTER_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ListedRows:
    """The rows of a word.

    Attributes:
        rows: numbers, ascending: no other row holds it, those of the empty word aside.
        is_exact: whether each of them does.
        column: the one column that it stands in, None where that is not known or there are several.
    """

    rows: Rows
    is_exact: bool
    column: str | None = None


@dataclass(frozen=True, slots=True)
class WordsFile:
    """The footer of a words sidecar: enough to find the row group of a word.

    Attributes:
        path: the file.
        segment_id: of its segment.
        segment_rows: of its segment.
        metadata: Parquet's own.
        first_words: of each row group of words.
        has_filters: whether words that are not listed may stand in blocks of rows.
        columns: that words stand in, by number.
    """

    path: Path
    segment_id: str
    segment_rows: int
    metadata: pq.FileMetaData
    first_words: tuple[bytes, ...]
    has_filters: bool
    columns: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Returns about the memory that it takes."""
        return int(self.metadata.serialized_size) + 64 * len(self.first_words)

    def group_of(self, word: str) -> int | None:
        """Returns the row group that a word is in, if it is in the file at all."""
        number = bisect.bisect_right(self.first_words, word.encode()) - 1
        return number if number >= 0 else None

    def words(self, group: int) -> pa.StringArray:
        """Returns the words of a row group, sorted."""
        return self._read(group, "word")["word"].combine_chunks()

    def rows(self, group: int, position: int) -> ListedRows | None:
        """Returns the rows that may hold the word at a position of a row group, None where any may."""
        lists = self._read(group, "column", "block_rows", "rows").slice(position, 1)
        data, size = lists["rows"][0].as_py(), lists["block_rows"][0].as_py()
        if data is None:
            return None
        number = lists["column"][0].as_py()
        with _named(self.path):
            if size < 1:
                raise ValueError(f"unexpected rows of a block {size}")
            blocks = decode_list(data, -(-self.segment_rows // size))
            column = None if number is None else self.columns[number]
        if size == 1:
            return ListedRows(blocks, True, column)
        rows: Rows = (blocks[:, None] * size + np.arange(size)).ravel()
        return ListedRows(rows[: np.searchsorted(rows, self.segment_rows)], False, column)

    def filters(self) -> list[tuple[int, int, npt.NDArray[np.uint32]]]:
        """Returns the filters: first row, row behind the last, and bits of each."""
        if not self.has_filters:
            return []
        group = len(self.first_words)
        filters = self._read(group, "block_rows", "filter").combine_chunks()
        found = []
        for number, size in enumerate(filters["block_rows"].to_pylist()):
            start = number * size
            bits = np.frombuffer(filters["filter"][number].as_buffer(), np.uint32)
            found.append((start, min(start + size, self.segment_rows), bits))
        return found

    def _read(self, group: int, *columns: str) -> pa.Table:
        with _named(self.path), self._open() as file:
            return file.read_row_group(group, columns=list(columns), use_threads=False)

    def _open(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path, metadata=self.metadata, page_checksum_verification=True)


def footer_crc(tail: bytes) -> int | None:
    """Returns crc32 of the footer that a file of Parquet ends with, None where its end does not hold it whole."""
    size = int.from_bytes(tail[-8:-4], "little") + 8
    return zlib.crc32(tail[-size:]) if 8 < size <= len(tail) else None


def open_words(path: Path, segment_id: str, crc: int | None) -> WordsFile:
    """Returns a words sidecar; its footer alone is read.

    Args:
        path: the file.
        segment_id: of its segment.
        crc: of its footer. Pages have checksums of their own; a wrong footer would hide rows in silence.

    Raises:
        CorruptionError: where it is none, another segment's, or not as it was written.
        FormatVersionError: where a later version wrote it.
        StoreMissingError: where there is no file.
    """
    if _footer_crc_of(path) != crc:
        raise CorruptionError(str(path), "its footer does not match its checksum")
    with _named(path), pq.ParquetFile(path) as file:
        metadata = file.metadata
        names = file.schema_arrow.names
    footer = decode_footer(metadata, str(path))
    version = (metadata.metadata or {}).get(FORMAT_KEY.encode(), b"")
    if version != str(WORDS_FORMAT).encode():
        raise FormatVersionError(
            f"cannot read {path}: unexpected version of a words sidecar; got {version.decode('utf-8', 'replace')}; "
            f"want {WORDS_FORMAT}; merge its segment again"
        )
    if footer.kind != "words" or footer.segment_id != segment_id or names != SCHEMA.names:
        raise CorruptionError(str(path), f"it is no words sidecar of segment {segment_id}")
    groups = [metadata.row_group(number).column(0) for number in range(metadata.num_row_groups)]
    with _named(path):
        first_words = [
            column.statistics.min_raw
            if column.is_stats_set and column.statistics.has_min_max
            else None
            for column in groups
        ]
    words = [word for word in first_words if word is not None]
    if first_words[: len(words)] != words or len(first_words) - len(words) > 1:
        raise CorruptionError(str(path), "row groups of words must come first")
    with _named(path):
        columns = tuple(json.loads((metadata.metadata or {})[COLUMNS_KEY.encode()]))
    return WordsFile(
        path,
        segment_id,
        footer.rows,
        metadata,
        tuple(words),
        len(words) < len(first_words),
        columns,
    )


class WordsReader:
    """A look-up of words in sidecars.

    Args:
        words_of: gives the words of a row group of a file; it may keep them.
        filters_of: gives the filters of a file; it may keep them.
    """

    def __init__(
        self,
        words_of: Callable[[WordsFile, int], pa.StringArray],
        filters_of: Callable[[WordsFile], list[tuple[int, int, npt.NDArray[np.uint32]]]],
    ) -> None:
        self._words_of = words_of
        self._filters_of = filters_of

    def rows_of(self, file: WordsFile, word: str) -> ListedRows | None:
        """Returns the rows that may hold a word; None where any may. The empty word's are not among them."""
        group = file.group_of(word)
        if group is not None:
            words = self._words_of(file, group)
            wanted = word.encode()
            position = bisect.bisect_left(
                range(len(words)), wanted, key=lambda at: words[at].as_buffer().to_pybytes()
            )
            if position < len(words) and words[position].as_buffer().to_pybytes() == wanted:
                return file.rows(group, position)
        blocks = [
            np.arange(start, stop, dtype=np.int64)
            for start, stop, bits in self._filters_of(file)
            if word != ANY_WORD and may_be_in_filter(bits, word)
        ]
        return ListedRows(np.concatenate(blocks) if blocks else NO_ROWS, not blocks)


def _footer_crc_of(path: Path) -> int | None:
    with _named(path), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _FOOTER_BYTES, 0))
        tail = file.read()
        wanted = int.from_bytes(tail[-8:-4], "little") + 8
        if len(tail) < wanted <= size:
            file.seek(size - wanted)
            tail = file.read()
    return footer_crc(tail)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StoreMissingError(f"cannot read {path}: no such file") from error
    except (OSError, pa.ArrowException, ValueError, LookupError, MemoryError) as error:
        raise CorruptionError(str(path), f"cannot read Parquet: {error}") from error
