"""The durable store: log, memtables, segments, catalog. Knows no HTTP and no SQL."""

from tracestore.store.alerts import AlertEvent, Alerts, AlertState, State
from tracestore.store.catalog.api_keys import ApiKey, KeyRing
from tracestore.store.catalog.datasets import Dataset, DatasetVersion
from tracestore.store.catalog.documents import Document, DocumentVersion
from tracestore.store.catalog.nodes.node_table import NodeRow
from tracestore.store.catalog.path_ids import Leaf, PathRow
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.check import CheckReport
from tracestore.store.clock import Clock
from tracestore.store.core import Core, Fault
from tracestore.store.counts import StoreCounts
from tracestore.store.datasets.dataset_rows import FIELDS as DATASET_FIELDS
from tracestore.store.datasets.dataset_rows import DatasetRow, checked_id, make_row, rows_of
from tracestore.store.datasets.datasets import DatasetReport, Datasets
from tracestore.store.datasets.experiments import Experiment, Experiments
from tracestore.store.documents import Documents
from tracestore.store.files.filesystem import FileSystem
from tracestore.store.files.scratch import ScratchFolder
from tracestore.store.follow.change import Change
from tracestore.store.follow.feed import ChangeFeed
from tracestore.store.follow.follower import Follower
from tracestore.store.memory.mirror import MemoryState
from tracestore.store.memory.need import NO_PATHS, Need, Paths, is_within
from tracestore.store.memory.node_state import PeerAnswer, PeerState, Question
from tracestore.store.patches.log import NO_PATCHES, PatchView
from tracestore.store.patches.rows import Overlay, leaf_columns, put_back
from tracestore.store.patches.rules import FIELDS as PATCHED_FIELDS
from tracestore.store.publications import Publications, PublishedSegment
from tracestore.store.read.leaf_lookup import LeafLookup
from tracestore.store.read.segment_patches import SegmentPatches
from tracestore.store.read.segment_ref import SegmentRef
from tracestore.store.read.snapshot import Snapshot
from tracestore.store.read.table_snapshot import TableSnapshot
from tracestore.store.rewrite.compaction import CompactionReport
from tracestore.store.rewrite.deletes import DeleteReport
from tracestore.store.rewrite.predicate import Condition
from tracestore.store.segments.group_tables import GroupTables
from tracestore.store.segments.leaf_arrays import Mask
from tracestore.store.segments.replaced_rows import RowNumbers
from tracestore.store.segments.words_cache import WordRows
from tracestore.store.settings import Mode, Prices
from tracestore.store.stats import StoreStats
from tracestore.store.store import Store
from tracestore.store.write.allowed_projects import (
    AllowedProjects,
    check_projects,
    default_project,
)
from tracestore.store.write.decompress import largest_plain_bytes
from tracestore.store.write.ingest_report import IngestReport

__all__ = [
    "DATASET_FIELDS",
    "NO_PATCHES",
    "NO_PATHS",
    "PATCHED_FIELDS",
    "AlertEvent",
    "AlertState",
    "Alerts",
    "AllowedProjects",
    "ApiKey",
    "Change",
    "ChangeFeed",
    "CheckReport",
    "Clock",
    "CompactionReport",
    "Condition",
    "Core",
    "Dataset",
    "DatasetReport",
    "DatasetRow",
    "DatasetVersion",
    "Datasets",
    "DeleteReport",
    "Document",
    "DocumentVersion",
    "Documents",
    "Experiment",
    "Experiments",
    "Fault",
    "FileSystem",
    "Follower",
    "GroupTables",
    "IngestReport",
    "KeyRing",
    "Leaf",
    "LeafLookup",
    "Mask",
    "MemoryState",
    "Mode",
    "Need",
    "NodeRow",
    "Overlay",
    "PatchView",
    "PathRow",
    "Paths",
    "PeerAnswer",
    "PeerState",
    "Prices",
    "Publications",
    "PublishedSegment",
    "Question",
    "RowNumbers",
    "ScratchFolder",
    "SegmentPatches",
    "SegmentRef",
    "SegmentRow",
    "Snapshot",
    "State",
    "Store",
    "StoreCounts",
    "StoreStats",
    "TableSnapshot",
    "WordRows",
    "check_projects",
    "checked_id",
    "default_project",
    "is_within",
    "largest_plain_bytes",
    "leaf_columns",
    "make_row",
    "put_back",
    "rows_of",
]
