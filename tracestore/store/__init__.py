"""The durable store: log, memtables, segments, catalog. Knows no HTTP and no SQL."""

from tracestore.store.check import CheckReport
from tracestore.store.clock import Clock
from tracestore.store.compaction import CompactionReport
from tracestore.store.core import Fault
from tracestore.store.deletes import DeleteReport
from tracestore.store.fsio import FileSystem
from tracestore.store.keys import ApiKey, KeyRing
from tracestore.store.path_table import PathRow
from tracestore.store.report import IngestReport
from tracestore.store.snapshot import SegmentRef, Snapshot, TableSnapshot
from tracestore.store.stats import StoreStats
from tracestore.store.store import Store

__all__ = [
    "ApiKey",
    "CheckReport",
    "Clock",
    "CompactionReport",
    "DeleteReport",
    "Fault",
    "FileSystem",
    "IngestReport",
    "KeyRing",
    "PathRow",
    "SegmentRef",
    "Snapshot",
    "Store",
    "StoreStats",
    "TableSnapshot",
]
