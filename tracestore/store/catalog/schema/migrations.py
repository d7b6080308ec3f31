"""How an older catalog becomes one of this version, and how a new one is made."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from tracestore.errors import CatalogError
from tracestore.store.catalog.schema import versions
from tracestore.store.catalog.schema.tables import (
    ALERT_EVENTS,
    ALERT_STATES,
    CHANGES,
    DATASET_SNAPSHOTS,
    DATASET_VERSIONS,
    DATASETS,
    DELETES,
    DOCUMENT_VERSIONS,
    DOCUMENTS,
    EXPERIMENTS,
    FOLDED_PATCHES,
    LEASES,
    META,
    METADATA,
    NODES,
    PATCHES,
    PROJECTS,
    PUBLISHED,
    REPLACED_ROWS,
    SEGMENTS,
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


def _add_segment_columns(connection: sa.Connection, version: int) -> None:
    for name in (
        name for name, since in versions.SEGMENT_COLUMNS_SINCE.items() if since == version
    ):
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
        "compatible_version": str(versions.COMPATIBLE),
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
            "schema_version": str(versions.VERSION),
            "compatible_version": str(versions.COMPATIBLE),
            "changes_from": "0",
            **defaults,
        }
        rows = [{"key": key, "value": value} for key, value in values.items()]
        connection.execute(META.insert(), rows)
        return True
    version = versions.read_version(connection, name)
    if version >= versions.VERSION:
        return False
    _check_nodes(connection, name, version)
    for step in range(version, versions.VERSION):
        MIGRATIONS[step](connection)
    is_compatible = META.c.key == "compatible_version"
    # What is stored already may need newer code than the tables do.
    needed = int(connection.execute(sa.select(META.c.value).where(is_compatible)).scalar_one())
    for key, value in {
        "schema_version": versions.VERSION,
        "compatible_version": max(needed, versions.COMPATIBLE),
    }.items():
        connection.execute(META.update().where(META.c.key == key).values(value=str(value)))
    return False


def _check_nodes(connection: sa.Connection, name: str, version: int) -> None:
    """Raises CatalogError where a node is up whose code cannot use what the catalog would become."""
    if version <= _WITHOUT_NODES:
        return
    ids = versions.older_nodes(connection, versions.COMPATIBLE)
    if ids:
        raise CatalogError(
            f"cannot migrate catalog {name} from version {version}: nodes that need it as it is are up: "
            f"{', '.join(ids)}; update and restart them first"
        )
