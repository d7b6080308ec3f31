"""The catalog's tables, as a new one has them. Specification: docs/format/catalog.md."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()

META: Final = sa.Table(
    "tracestore_meta",
    METADATA,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

PROJECTS: Final = sa.Table(
    "tracestore_projects",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("retention_days", sa.Integer),
    sa.Column("cluster_by", sa.Text),
)

SEGMENTS: Final = sa.Table(
    "tracestore_segments",
    METADATA,
    sa.Column("segment_id", sa.String(26), primary_key=True),
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("crc", sa.BigInteger, nullable=False),
    sa.Column("tail_bytes", sa.BigInteger),
    sa.Column("tail_crc", sa.BigInteger),
    sa.Column("raw_bytes", sa.BigInteger, nullable=False),
    sa.Column("min_time_ns", sa.BigInteger, nullable=False),
    sa.Column("max_time_ns", sa.BigInteger, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("leaf_ids", sa.LargeBinary, nullable=False),
    sa.Column("leaf_rows", sa.LargeBinary, nullable=False),
    sa.Column("tail_ids", sa.LargeBinary, nullable=False),
    sa.Column("tail_rows", sa.LargeBinary, nullable=False),
    sa.Column("unlisted_paths", sa.Integer, nullable=False),
    sa.Column("fault", sa.Text),
    sa.Column("words_bytes", sa.BigInteger),
    sa.Column("words_crc", sa.BigInteger),
    sa.Column("words_footer_crc", sa.BigInteger),
    sa.Column("cluster_columns", sa.BigInteger),
)

PATHS: Final = sa.Table(
    "tracestore_paths",
    METADATA,
    sa.Column("path_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("type", sa.String(8), nullable=False),
    sa.Column("first_seen_ns", sa.BigInteger, nullable=False),
    sa.Column("last_seen_ns", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Index("tracestore_paths_owner", "table_name", "project"),
)

GARBAGE: Final = sa.Table(
    "tracestore_garbage",
    METADATA,
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("segment_id", sa.String(26), nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

DELETES: Final = sa.Table(
    "tracestore_deletes",
    METADATA,
    sa.Column("delete_id", sa.String(26), primary_key=True),
    sa.Column("predicate", sa.Text, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("done_ns", sa.BigInteger),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("missed", sa.Text),
)

NODES: Final = sa.Table(
    "tracestore_nodes",
    METADATA,
    sa.Column("node_id", sa.String(26), primary_key=True),
    sa.Column("session", sa.String(32), nullable=False),
    sa.Column("role", sa.String(8), nullable=False),
    sa.Column("url", sa.Text),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("software", sa.Text, nullable=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("wal_mark", sa.BigInteger, nullable=False),
    sa.Column("seen_version", sa.BigInteger, nullable=False),
    sa.Column("held_version", sa.BigInteger, nullable=False),
    sa.Column("started_ns", sa.BigInteger, nullable=False),
    sa.Column("lease_ns", sa.BigInteger, nullable=False),
    sa.Column("stopped", sa.Boolean, nullable=False),
)

LEASES: Final = sa.Table(
    "tracestore_leases",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("node_id", sa.String(26), nullable=False),
    sa.Column("token", sa.String(32), nullable=False),
    sa.Column("lease_ns", sa.BigInteger, nullable=False),
)

CHANGES: Final = sa.Table(
    "tracestore_changes",
    METADATA,
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("what", sa.Text, nullable=False),
)

EXPERIMENTS: Final = sa.Table(
    "tracestore_experiments",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("metadata", sa.Text),
    sa.Column("dataset", sa.Text),
    sa.Column("dataset_version", sa.BigInteger),
    sa.Column("base", sa.Text),
    sa.Column("git_commit", sa.Text),
)

DATASETS: Final = sa.Table(
    "tracestore_datasets",
    METADATA,
    sa.Column("dataset_id", sa.String(26), primary_key=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("next_version", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("project", "name", name="tracestore_datasets_name"),
)

DATASET_VERSIONS: Final = sa.Table(
    "tracestore_dataset_versions",
    METADATA,
    sa.Column("dataset_id", sa.String(26), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("added", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.BigInteger, nullable=False),
    sa.Column("wal_sequence", sa.BigInteger, nullable=False),
)

DATASET_SNAPSHOTS: Final = sa.Table(
    "tracestore_dataset_snapshots",
    METADATA,
    sa.Column("dataset_id", sa.String(26), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
)

PATCHES: Final = sa.Table(
    "tracestore_patches",
    METADATA,
    sa.Column("created_ns", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("trace_id", sa.Text, nullable=False),
    sa.Column("span_id", sa.Text, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Index("tracestore_patches_owner", "project", "trace_id"),
)

FOLDED_PATCHES: Final = sa.Table(
    "tracestore_folded_patches",
    METADATA,
    sa.Column("created_ns", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("trace_id", sa.Text, nullable=False),
    sa.Column("span_id", sa.Text, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Index("tracestore_folded_patches_owner", "project", "trace_id"),
)

REPLACED_ROWS: Final = sa.Table(
    "tracestore_replaced_rows",
    METADATA,
    sa.Column("segment_id", sa.String(26), primary_key=True),
    sa.Column("rows", sa.LargeBinary, nullable=False),
)

PUBLISHED: Final = sa.Table(
    "tracestore_published",
    METADATA,
    sa.Column("place", sa.Text, primary_key=True),
)

DOCUMENTS: Final = sa.Table(
    "tracestore_documents",
    METADATA,
    sa.Column("document_id", sa.String(26), primary_key=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("project", "kind", "name", name="tracestore_documents_name"),
)

DOCUMENT_VERSIONS: Final = sa.Table(
    "tracestore_document_versions",
    METADATA,
    sa.Column("document_id", sa.String(26), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("author", sa.Text),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
)

ALERT_STATES: Final = sa.Table(
    "tracestore_alert_states",
    METADATA,
    sa.Column("document_id", sa.String(26), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("since_ns", sa.BigInteger, nullable=False),
    sa.Column("checked_ns", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Text),
    sa.Column("failure", sa.Text),
)

ALERT_EVENTS: Final = sa.Table(
    "tracestore_alert_events",
    METADATA,
    sa.Column("event_id", sa.String(26), primary_key=True),
    sa.Column("document_id", sa.String(26), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Text),
    sa.Column("delivery", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_ns", sa.BigInteger, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Index("tracestore_alert_events_owner", "document_id"),
    sa.Index("tracestore_alert_events_delivery", "delivery"),
)
