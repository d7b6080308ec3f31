"""Words sidecars of segments: opened when first asked for, and kept within a bound."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.bounded_cache import BoundedCache
from tracestore.errors import CorruptionError, FormatVersionError, StoreMissingError
from tracestore.segment.words_file import (
    ANY_WORD,
    Rows,
    WordsFile,
    WordsReader,
    open_words,
)
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.files import filenames
from tracestore.store.files.segment_files import SegmentFiles

logger = logging.getLogger(__name__)

# Bytes of footers of sidecars that are kept, and of the words and filters of their row groups: about 50 KB a group.
_MAX_FOOTER_BYTES: Final = 16 * 1024 * 1024
_MAX_WORDS_BYTES: Final = 48 * 1024 * 1024

_UNREADABLE: Final = (CorruptionError, FormatVersionError, StoreMissingError)

_Filters = list[tuple[int, int, npt.NDArray[np.uint32]]]


@dataclass(frozen=True, slots=True)
class WordRows:
    """The rows of a segment that may hold all of some words.

    Attributes:
        rows: their numbers, ascending: no other row holds all words.
        exact: the words that each of them surely holds, with the one column that a word stands in, None where that is
            not known or there are several.
    """

    rows: Rows
    exact: Mapping[str, str | None]


class WordsCache:
    """The words of segments. Thread-safe."""

    def __init__(self, files: SegmentFiles) -> None:
        self._files = files
        self._opened: BoundedCache[str, WordsFile] = BoundedCache(
            _MAX_FOOTER_BYTES, lambda file: file.nbytes
        )
        self._words: BoundedCache[tuple[str, int], pa.StringArray] = BoundedCache(
            _MAX_WORDS_BYTES, lambda words: int(words.nbytes)
        )
        self._filters: BoundedCache[str, _Filters] = BoundedCache(
            _MAX_WORDS_BYTES, lambda filters: 64 + sum(bits.nbytes for _, _, bits in filters)
        )
        self._broken: set[str] = set()
        self._reader = WordsReader(self._words_of, self._filters_of)

    def rows_of(self, row: SegmentRow, words: Sequence[str]) -> WordRows | None:
        """Returns the rows of a segment that may hold all of some words; None where any may."""
        if row.words_bytes is None or row.segment_id in self._broken:
            return None
        try:
            return self._rows_of(row, words)
        except _UNREADABLE as error:
            # The segment itself is sound: it is looked through.
            logger.warning("words sidecar is left alone: %s", error)
            self._broken.add(row.segment_id)
            return None

    def forget(self, segment_ids: Collection[str]) -> None:
        """Drops what is kept of segments that are gone."""
        gone = set(segment_ids)
        self._broken -= gone
        self._opened.drop(lambda key: key in gone)
        self._words.drop(lambda key: key[0] in gone)
        self._filters.drop(lambda key: key in gone)

    def _rows_of(self, row: SegmentRow, words: Sequence[str]) -> WordRows | None:
        file = self._opened.get_or_make(row.segment_id, lambda: self._open(row))
        with_all: Rows | None = None
        exact: dict[str, str | None] = {}
        for word in words:
            listed = self._reader.rows_of(file, word)
            if listed is None:
                continue
            if listed.is_exact:
                exact[word] = listed.column
            rows = listed.rows
            with_all = rows if with_all is None else np.intersect1d(with_all, rows, True)
            if not len(with_all):
                break
        if with_all is None:
            return None
        of_any = self._reader.rows_of(file, ANY_WORD)
        if of_any is None:
            return None
        if len(of_any.rows):
            return WordRows(np.union1d(with_all, of_any.rows), {})
        return WordRows(with_all, exact)

    def _open(self, row: SegmentRow) -> WordsFile:
        path = self._files.local(filenames.words_key(row.file_key))
        return open_words(path, row.segment_id, row.words_footer_crc)

    def _words_of(self, file: WordsFile, group: int) -> pa.StringArray:
        key = (file.segment_id, group)
        return self._words.get_or_make(key, lambda: file.words(group))

    def _filters_of(self, file: WordsFile) -> _Filters:
        return self._filters.get_or_make(file.segment_id, file.filters)
