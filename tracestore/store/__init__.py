"""The durable store: log, memtables, segments, catalog. Knows no HTTP and no SQL."""

from tracestore.store.catalog_datasets import Dataset, DatasetVersion
from tracestore.store.check import CheckReport
from tracestore.store.clock import Clock
from tracestore.store.compaction import CompactionReport
from tracestore.store.core import Fault
from tracestore.store.dataset_rows import DatasetRow, make_row
from tracestore.store.datasets import DatasetReport, Datasets
from tracestore.store.deletes import DeleteReport
from tracestore.store.experiments import Experiment, Experiments
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
