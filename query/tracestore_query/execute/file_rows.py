"""Rows of segments by number: few through the engine, which skips pages; many a row group at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tracestore.bounded_cache import BoundedCache
from tracestore.errors import CorruptionError
from tracestore_query.engine.parquet_sql import row_text

Numbers = npt.NDArray[np.int64]

FEW_ROWS: Final = 256
"""Rows of one file that are asked of the engine. Five rows of a row group of 122,880 take 3 ms, the whole
group 15 ms and more; from some hundred scattered rows on, the group is no slower."""

KEPT_BYTES: Final = 128 * 1024 * 1024
"""Bytes of the row groups that are kept from one batch of an answer to the next; one that is larger is kept alone."""


class FileRows:
    """The rows of the segments of one answer, by number. Not thread-safe.

    Args:
        cursor: gives a cursor of the engine.
    """

    def __init__(
        self, cursor: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
    ) -> None:
        self._cursor = cursor
        # Row groups by file, number and columns: an answer's batches are smaller, and follow each other in the few
        # that the engine's threads read at once.
        self._groups: BoundedCache[tuple[str, int, tuple[str, ...]], pa.Table] = BoundedCache(
            KEPT_BYTES, lambda group: min(group.nbytes, KEPT_BYTES)
        )

    def read(self, file: str, numbers: Numbers, columns: Sequence[str]) -> pa.Table:
        """Returns columns of rows, in the order of their numbers; a number may come twice.

        A column that the file lacks is left out: older files have fewer fixed ones.

        Raises:
            CorruptionError: where the file cannot be read.
        """
        distinct, positions = np.unique(numbers, return_inverse=True)
        # The engine takes columns whose names differ in case alone for one.
        distinct_names = len({name.lower() for name in columns}) == len(columns)
        try:
            if len(distinct) <= FEW_ROWS and distinct_names:
                table = self._few(file, distinct, columns)
            else:
                table = self._many(file, distinct, columns)
        except (duckdb.InterruptException, duckdb.OutOfMemoryException):
            raise
        except (OSError, duckdb.Error, pa.ArrowException) as error:
            raise CorruptionError(Path(file).name, f"cannot read rows: {error}") from error
        if len(table) != len(distinct):
            raise CorruptionError(Path(file).name, "cannot read rows: some are not there")
        if len(distinct) == len(numbers) and bool(np.all(numbers[:-1] < numbers[1:])):
            return table
        return table.take(pa.array(positions.reshape(-1)))

    def _few(self, file: str, distinct: Numbers, columns: Sequence[str]) -> pa.Table:
        with self._cursor() as cursor:
            rows = cursor.sql(row_text(file, distinct.tolist(), columns)).to_arrow_table()
        names = [name for name in columns if name in rows.column_names]
        return rows.sort_by("file_row_number").select(names)

    def _many(self, file: str, distinct: Numbers, columns: Sequence[str]) -> pa.Table:
        parts: list[pa.Table] = []
        with pq.ParquetFile(file) as parquet:
            metadata = parquet.metadata
            rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            starts = np.cumsum([0, *rows])
            groups = np.searchsorted(starts, distinct, side="right") - 1
            for group in np.unique(groups).tolist():
                whole = self._whole_group(parquet, file, group, columns)
                parts.append(_taken(whole, distinct[groups == group] - starts[group]))
        return parts[0] if len(parts) == 1 else pa.concat_tables(parts)

    def _whole_group(
        self, parquet: pq.ParquetFile, file: str, group: int, columns: Sequence[str]
    ) -> pa.Table:
        return self._groups.get_or_make(
            (file, group, tuple(columns)),
            lambda: parquet.read_row_group(group, columns=list(columns)),
        )


def _taken(table: pa.Table, numbers: Numbers) -> pa.Table:
    """Returns rows by number, ascending; those that follow one another are not copied."""
    if len(numbers) and numbers[-1] - numbers[0] == len(numbers) - 1:
        return table.slice(int(numbers[0]), len(numbers))
    return table.take(pa.array(numbers))
