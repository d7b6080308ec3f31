"""The key-value metadata of a segment's footer. Specification: docs/format/segment.md, "Footer"."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import pyarrow.parquet as pq

from tracestore.errors import CorruptionError, FormatVersionError

FORMAT: Final = 3
"""The newest format that is written: files in order of time are of format 2, and without item columns of format 1."""

READABLE: Final = frozenset({1, 2, 3})

_PREFIX: Final = "tracestore."
_KINDS: Final = ("segment", "tail", "words")


@dataclass(frozen=True, slots=True)
class Footer:
    """The metadata of a segment file or one beside it.

    `min_time_ns` and `max_time_ns` are both included: the least and the greatest time. `cluster_by` are the stored
    columns that rows are sorted by before time, none where they are sorted by time.
    """

    kind: str
    table: str
    project: str
    segment_id: str
    rows: int
    min_time_ns: int
    max_time_ns: int
    created_ns: int
    leaf_columns: int
    tail_entries: int
    item_columns: int = 0
    cluster_by: tuple[str, ...] = ()

    def encode(self) -> dict[str, str]:
        """Returns the footer's keys and values."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        if not self.item_columns:
            del fields["item_columns"]
        del fields["cluster_by"]
        if self.cluster_by:
            fields["cluster_by"] = json.dumps(self.cluster_by)
        plain = 2 if self.item_columns else 1
        return {
            f"{_PREFIX}format": str(FORMAT if self.cluster_by else plain),
            **{f"{_PREFIX}{name}": str(value) for name, value in fields.items()},
        }


def decode_footer(metadata: pq.FileMetaData, path: str) -> Footer:
    """Returns a file's footer.

    Raises FormatVersionError for a newer format and CorruptionError where a key is missing or its
    value is not what the format says.
    """
    raw: dict[bytes, bytes] = metadata.metadata or {}
    texts = {
        key.decode("utf-8", "replace").removeprefix(_PREFIX): value.decode("utf-8", "replace")
        for key, value in raw.items()
        if key.startswith(_PREFIX.encode())
    }
    if "format" not in texts:
        raise CorruptionError(path, "not a tracestore segment: footer has no tracestore.format")
    if not texts["format"].isdigit() or int(texts["format"]) not in READABLE:
        raise FormatVersionError(
            f"cannot read {path}: unexpected segment format; got {texts['format']}; want "
            f"{', '.join(map(str, sorted(READABLE)))}; open it with a newer tracestore"
        )
    try:
        footer = Footer(
            kind=texts["kind"],
            table=texts["table"],
            project=texts["project"],
            segment_id=texts["segment_id"],
            rows=int(texts["rows"]),
            min_time_ns=int(texts["min_time_ns"]),
            max_time_ns=int(texts["max_time_ns"]),
            created_ns=int(texts["created_ns"]),
            leaf_columns=int(texts["leaf_columns"]),
            tail_entries=int(texts["tail_entries"]),
            item_columns=int(texts.get("item_columns", 0)),
            cluster_by=_texts(texts.get("cluster_by", "[]")),
        )
    except (KeyError, ValueError) as error:
        raise CorruptionError(path, f"footer metadata is incomplete: {error}") from error
    if footer.kind not in _KINDS:
        raise CorruptionError(
            path, f"unexpected kind; got {footer.kind}; want segment, tail or words"
        )
    if footer.kind == "segment" and footer.rows != metadata.num_rows:
        what = f"footer counts differ: tracestore.rows {footer.rows}, Parquet {metadata.num_rows}"
        raise CorruptionError(path, what)
    return footer


def _texts(value: str) -> tuple[str, ...]:
    """Returns a list of texts from JSON; raises ValueError for anything else."""
    texts = json.loads(value)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"unexpected list of columns {value!r}")
    return tuple(texts)
