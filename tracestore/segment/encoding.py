"""Which Parquet encoding each column of a segment gets: chosen from the dictionary it comes with, else a sample.

The shredder hands out texts with a dictionary of the distinct ones, so that repetition which is far
apart (chat history that every turn sends again) is seen and written once.

Measured by bench/store/encodings.py on 1 M rows (zstd level 1; bytes, and DuckDB's time to read):

| column | dictionary | plain | chosen |
|---|---|---|---|
| span_id, random hex | 9.8 MB, 26 ms | 8.9 MB, 24 ms | DELTA_LENGTH_BYTE_ARRAY 8.1 MB, 16 ms |
| start_ns, sorted | 7.3 MB, 12 ms | 4.8 MB, 10 ms | DELTA_BINARY_PACKED 3.0 MB, 4 ms |
| duration_ns, random | 5.9 MB, 13 ms | 3.9 MB, 10 ms | DELTA_BINARY_PACKED 4.0 MB, 4 ms |
| double, all distinct | 9.5 MB, 9 ms | 7.5 MB, 7 ms | plain |
| double, 10,000 distinct | 2.3 MB, 5 ms | 5.0 MB, 8 ms | dictionary |
| string, 5,000 distinct | 1.8 MB, 12 ms | 2.6 MB, 28 ms | dictionary |

BYTE_STREAM_SPLIT would save 8 % more on distinct doubles, but not every engine reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from tracestore import limits
from tracestore.arrow_compute import pc
from tracestore.segment.compression import dictionary_compression_pays, plain_compression_pays

# Values looked at to decide between a dictionary and none; a column chunk holds up to 122,880.
SAMPLE_VALUES: Final = 8192

# A dictionary pays below this share of distinct values in the sample. Numbers are cheap to repeat,
# so theirs must be smaller (measured: tokens with 0.4 distinct are equal either way).
_STRING_SHARE: Final = 0.6
_NUMBER_SHARE: Final = 0.35

# Columns whose values are sorted or nearly so: differences are small.
_DELTA_INTEGERS: Final = "DELTA_BINARY_PACKED"
_DELTA_STRINGS: Final = "DELTA_LENGTH_BYTE_ARRAY"


# zstd levels. Small spans: level 3 is 1 % larger and takes 35 % longer than level 1. Spans of 50 KB of
# chat text: level 3 is 6 % smaller in the same time.
COMPRESSION_LEVEL: Final = 1
_LONG_TEXT_LEVEL: Final = 3

# Mean bytes of a text from which it counts as long.
_LONG_TEXT_BYTES: Final = 200

# Values that are encoded at once. The encoder asks after each batch whether the page is full, and takes the bounds of
# a dictionary's texts once a batch: 60,000 small spans take 31 ms of CPU in batches of 1,024 and 24 ms in these.
_MAX_BATCH_VALUES: Final = 8192
_MIN_BATCH_VALUES: Final = 1024


@dataclass(slots=True)
class Encodings:
    """The encodings of one file, in pyarrow's terms; names are Parquet column paths.

    Attributes:
        widest: mean bytes of a text in the column where it is largest.
    """

    dictionary: list[str] = field(default_factory=list)
    explicit: dict[str, str] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    codecs: dict[str, str] = field(default_factory=dict)
    widest: float = 1.0

    @property
    def batch_values(self) -> int:
        """Returns how many values are encoded at once: no more, on average, than a page has room for."""
        fitting = int(limits.PAGE_BYTES / self.widest)
        return max(_MIN_BATCH_VALUES, min(fitting, _MAX_BATCH_VALUES))


def choose_encodings(table: pa.Table) -> Encodings:
    """Returns the encodings for a table whose rows are in the order they will be written."""
    plan = Encodings()
    for name, column in zip(table.column_names, table.columns, strict=True):
        _choose(name, column, plan)
    return plan


def _choose(name: str, column: pa.ChunkedArray, plan: Encodings) -> None:
    kind = column.type
    path = name
    if is_list(kind):
        path = f"{name}.list.element"
        kind = kind.value_type
    sample = _sample(column)
    values = pc.list_flatten(sample) if is_list(column.type) else sample
    if pa.types.is_dictionary(kind):
        pays = _held_dictionary_pays(column)
        kind = kind.value_type
    else:
        pays = not pa.types.is_boolean(kind) and _dictionary_pays(values)
    text_bytes = _mean_text_bytes(column)
    plan.widest = max(plan.widest, text_bytes)
    is_long = text_bytes > _LONG_TEXT_BYTES
    if is_long or _compression_pays(column, values, pays=pays):
        plan.codecs[path] = "zstd"
        plan.levels[path] = _LONG_TEXT_LEVEL if is_long else COMPRESSION_LEVEL
    else:
        plan.codecs[path] = "none"
    if pays:
        plan.dictionary.append(path)
    elif pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        plan.explicit[path] = _DELTA_INTEGERS
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        plan.explicit[path] = _DELTA_STRINGS


def _compression_pays(column: pa.ChunkedArray, sample: pa.Array, *, pays: bool) -> bool:
    """Returns whether to compress a column, `pays` telling whether it gets a dictionary."""
    if pays:
        return dictionary_compression_pays(sample, len(column))
    kind = sample.type
    if pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return plain_compression_pays(sample)
    return True


def _mean_text_bytes(column: pa.ChunkedArray) -> float:
    """Returns the mean bytes of the texts of a column, those of lists included; 0 for other columns.

    Of a column with dictionaries, it is the mean of their entries.
    """
    values = pc.list_flatten(column) if is_list(column.type) else column
    if pa.types.is_dictionary(values.type):
        values = pa.chunked_array([chunk.dictionary for chunk in values.chunks] or [pa.array([""])])
    if not (pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
        return 0.0
    present = len(values) - values.null_count
    text_bytes: int = pc.sum(pc.binary_length(values)).as_py() or 0
    mean: float = text_bytes / max(present, 1)
    return mean


def is_list(kind: pa.DataType) -> bool:
    """Returns whether a column holds lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _held_dictionary_pays(column: pa.ChunkedArray) -> bool:
    """Returns whether writing the dictionary that a column comes with is worth it; nothing is sampled."""
    values = pc.list_flatten(column) if is_list(column.type) else column
    present = len(values) - values.null_count
    distinct = max((len(chunk.dictionary) for chunk in values.chunks), default=0)
    return bool(distinct <= present * _STRING_SHARE)


def _sample(column: pa.ChunkedArray) -> pa.Array:
    """Returns values from the middle of the column: a run, so that lists keep their neighbours."""
    start = max(0, (len(column) - SAMPLE_VALUES) // 2)
    part = column.slice(start, SAMPLE_VALUES)
    if part.null_count > SAMPLE_VALUES // 2:
        part = column.drop_null().slice(0, SAMPLE_VALUES)
    return part.combine_chunks()


def _dictionary_pays(values: pa.Array) -> bool:
    present = len(values) - values.null_count
    if present == 0:
        return True
    is_text = pa.types.is_string(values.type) or pa.types.is_binary(values.type)
    distinct = pc.count_distinct(values, mode="only_valid").as_py()
    return bool(distinct <= present * (_STRING_SHARE if is_text else _NUMBER_SHARE))
