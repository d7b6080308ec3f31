"""The durable store: log, memtables, segments, catalog. Knows no HTTP and no SQL."""

from tracestore.store.catalog.api_keys import ApiKey, KeyRing
from tracestore.store.catalog.datasets import Dataset, DatasetVersion
from tracestore.store.catalog.path_ids import PathRow
from tracestore.store.check import CheckReport
from tracestore.store.clock import Clock
from tracestore.store.core import Fault
from tracestore.store.datasets.dataset_rows import DatasetRow, make_row
from tracestore.store.datasets.datasets import DatasetReport, Datasets
from tracestore.store.datasets.experiments import Experiment, Experiments
from tracestore.store.files.filesystem import FileSystem
from tracestore.store.read.snapshot import SegmentRef, Snapshot, TableSnapshot
from tracestore.store.rewrite.compaction import CompactionReport
from tracestore.store.rewrite.deletes import DeleteReport
from tracestore.store.stats import StoreStats
from tracestore.store.store import Store
from tracestore.store.write.ingest_report import IngestReport

__all__ = [
    "ApiKey",
    "CheckReport",
    "Clock",
    "CompactionReport",
    "Dataset",
    "DatasetReport",
    "DatasetRow",
    "DatasetVersion",
    "Datasets",
    "DeleteReport",
    "Experiment",
    "Experiments",
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
    "make_row",
]
