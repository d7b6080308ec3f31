"""What an opener may choose; defaults are the limits and their reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from tracestore import limits
from tracestore.store.clock import Clock
from tracestore.store.files import filenames
from tracestore.store.files.filesystem import FileSystem

Mode = Literal["rw", "r"]
Role = Literal["all", "query"]
Durability = Literal["sync", "async"]


class Prices(Protocol):
    """What calls of models cost.

    Attributes:
        source: what says so.
    """

    @property
    def source(self) -> str:
        """Returns what says the prices."""

    def costs(
        self,
        models: Iterable[tuple[str, str | None]],
        calls: npt.NDArray[np.int64],
        tokens: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float64]:
        """Returns the dollars of calls, NaN where no price is known."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a store.

    `durability` "sync" acknowledges a request after its fdatasync, "async" before it: a power cut
    then takes at most `async_sync_seconds`; a killed process loses nothing either way.
    Without `background`, flushes run in the request that filled the memtable, and compaction only
    when it is called. `node` is the role of one of several nodes that share the catalog and the segments; None is of a
    writer of its own. A reader that `follows` is told by another process what there is, and reads none of it itself.
    `cache_folder` holds copies of segments of a bucket, below the store's folder. `prices` gives
    what estimates the costs of model calls, when the first one comes; None leaves them.
    """

    mode: Mode = "rw"
    durability: Durability = "sync"
    catalog_url: str | None = None
    segments_url: str | None = None
    node: Role | None = None
    cache_folder: str = filenames.CACHE_FOLDER
    background: bool = True
    follows: bool = False
    flush_bytes: int = limits.FLUSH_BYTES
    flush_rows: int = limits.FLUSH_ROWS
    flush_seconds: float = limits.FLUSH_SECONDS
    wal_file_bytes: int = limits.WAL_FILE_BYTES
    async_sync_seconds: float = limits.ASYNC_SYNC_SECONDS
    max_payload_bytes: int = limits.MAX_PAYLOAD_BYTES
    max_frozen: int = limits.MAX_FROZEN_MEMTABLES
    recent_spans: int = limits.RECENT_SPANS
    recent_seconds: float = limits.RECENT_SECONDS
    compaction_unit_rows: int = limits.COMPACTION_UNIT_ROWS
    compaction_unit_bytes: int = limits.COMPACTION_UNIT_BYTES
    compaction_min_inputs: int = limits.COMPACTION_MIN_INPUTS
    min_cluster_rows: int = limits.MIN_CLUSTER_ROWS
    min_words_rows: int = limits.MIN_WORDS_ROWS
    max_words_share: float = limits.MAX_WORDS_SHARE
    max_item_columns_share: float = limits.MAX_ITEM_COLUMNS_SHARE
    object_cache_bytes: int = limits.OBJECT_CACHE_BYTES
    prices: Callable[[], Prices | None] = lambda: None
    fs: FileSystem = field(default_factory=FileSystem)
    clock: Clock = field(default_factory=Clock)
