"""The catalog's tables and how an older catalog becomes this version. Specification: docs/format/catalog.md."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from tracestore.errors import CatalogError, FormatVersionError
from tracestore.store.catalog import database

VERSION: Final = 9

COMPATIBLE: Final = 8
"""The oldest version whose code may open a catalog of this one. A step that only adds leaves it as it is; what needs
newer code raises it where it is first used."""

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


def _add_evals(connection: sa.Connection) -> None:
    tables = [EXPERIMENTS, DATASETS, DATASET_VERSIONS, DATASET_SNAPSHOTS]
    METADATA.create_all(connection, tables=tables)


def _add_patches(connection: sa.Connection) -> None:
    METADATA.create_all(connection, tables=[PATCHES])


def _add_documents(connection: sa.Connection) -> None:
    tables = [DOCUMENTS, DOCUMENT_VERSIONS, ALERT_STATES, ALERT_EVENTS]
    METADATA.create_all(connection, tables=tables)


def _add_versions(connection: sa.Connection) -> None:
    METADATA.create_all(connection, tables=[FOLDED_PATCHES, REPLACED_ROWS])


# Columns of segments that came with a version.
_SINCE: Final = {"words_bytes": 6, "words_crc": 6, "words_footer_crc": 6, "cluster_columns": 9}


def segment_columns(version: int) -> list[sa.Column[Any]]:
    """Returns the columns that the segments of a catalog of a version have: a reader migrates none."""
    return [column for column in SEGMENTS.c if version >= _SINCE.get(column.name, 1)]


def _add_segment_columns(connection: sa.Connection, version: int) -> None:
    for name in (name for name, since in _SINCE.items() if since == version):
        connection.execute(sa.text(f"ALTER TABLE {SEGMENTS.name} ADD COLUMN {name} BIGINT"))


def _add_words(connection: sa.Connection) -> None:
    _add_segment_columns(connection, 6)


def _add_clustering(connection: sa.Connection) -> None:
    _add_segment_columns(connection, 9)
    connection.execute(sa.text(f"ALTER TABLE {PROJECTS.name} ADD COLUMN cluster_by TEXT"))


def _add_published(connection: sa.Connection) -> None:
    METADATA.create_all(connection, tables=[PUBLISHED])


def _add_nodes(connection: sa.Connection) -> None:
    METADATA.create_all(connection, tables=[NODES, LEASES, CHANGES])
    connection.execute(sa.text(f"ALTER TABLE {DELETES.name} ADD COLUMN missed TEXT"))
    values = {
        "changes_from": "0",
        "compatible_version": str(COMPATIBLE),
        "cluster_key": secrets.token_urlsafe(32),
    }
    rows = [{"key": key, "value": value} for key, value in values.items()]
    connection.execute(META.insert(), rows)


# The last version that knows no nodes.
_WITHOUT_NODES: Final = 7


# Step n takes a catalog of version n to version n + 1, inside the transaction that opens it.
MIGRATIONS: Final[dict[int, Callable[[sa.Connection], None]]] = {
    1: _add_evals,
    2: _add_patches,
    3: _add_documents,
    4: _add_versions,
    5: _add_words,
    6: _add_published,
    _WITHOUT_NODES: _add_nodes,
    8: _add_clustering,
}


def prepare(connection: sa.Connection, name: str, defaults: dict[str, str]) -> bool:
    """Creates or migrates the tables; returns whether the catalog was created just now.

    A catalog is widened while nodes of the last version are up: they go on. What they need goes only where none is.

    Raises FormatVersionError where the catalog is newer than this code can use, CatalogError where nodes that are up
    keep it from being migrated.
    """
    if not sa.inspect(connection).has_table(META.name):
        METADATA.create_all(connection)
        values = {
            "schema_version": str(VERSION),
            "compatible_version": str(COMPATIBLE),
            "changes_from": "0",
            **defaults,
        }
        rows = [{"key": key, "value": value} for key, value in values.items()]
        connection.execute(META.insert(), rows)
        return True
    version = read_version(connection, name)
    if version >= VERSION:
        return False
    _check_nodes(connection, name, version)
    for step in range(version, VERSION):
        MIGRATIONS[step](connection)
    for key, value in {"schema_version": VERSION, "compatible_version": COMPATIBLE}.items():
        connection.execute(META.update().where(META.c.key == key).values(value=str(value)))
    return False


def read_version(connection: sa.Connection, name: str) -> int:
    """Returns the catalog's schema version; raises FormatVersionError for one that this code cannot use."""
    wanted = META.c.key.in_(["schema_version", "compatible_version"])
    rows = connection.execute(sa.select(META.c.key, META.c.value).where(wanted))
    values = {row.key: row.value for row in rows}
    version = int(values["schema_version"])
    if version > VERSION and int(values.get("compatible_version", version)) > VERSION:
        raise FormatVersionError(
            f"cannot open catalog {name}: unexpected schema version; got {version}; want at most "
            f"{VERSION}; open it with a newer tracestore"
        )
    return version


def _check_nodes(connection: sa.Connection, name: str, version: int) -> None:
    """Raises CatalogError where a node is up whose code cannot use what the catalog would become."""
    if version <= _WITHOUT_NODES:
        return
    old = sa.and_(
        NODES.c.schema_version < COMPATIBLE, NODES.c.lease_ns > database.now_ns(connection)
    )
    ids = connection.execute(sa.select(NODES.c.node_id).where(old)).scalars().all()
    if ids:
        raise CatalogError(
            f"cannot migrate catalog {name} from version {version}: nodes that need it as it is are up: "
            f"{', '.join(sorted(ids))}; update and restart them first"
        )
