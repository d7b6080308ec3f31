"""Catalogs as older versions left them."""

from __future__ import annotations

import sqlalchemy as sa

_COLUMNS = {
    6: [
        ("tracestore_segments", "words_bytes"),
        ("tracestore_segments", "words_crc"),
        ("tracestore_segments", "words_footer_crc"),
    ],
    8: [("tracestore_deletes", "missed")],
    9: [("tracestore_segments", "cluster_columns"), ("tracestore_projects", "cluster_by")],
}
"""Columns that came with a version."""

_TABLES = {
    2: ["dataset_snapshots", "dataset_versions", "datasets", "experiments"],
    3: ["patches"],
    4: ["documents", "document_versions", "alert_states", "alert_events"],
    5: ["folded_patches", "replaced_rows"],
    7: ["published"],
    8: ["nodes", "leases", "changes"],
}
"""Tables that came with a version."""

_KEYS = {8: ["changes_from", "compatible_version", "cluster_key"]}
"""Keys of the table of values that came with a version."""


def make_older(connection: sa.Connection, version: int) -> None:
    """Takes from a new catalog what versions after one brought."""
    for since, columns in _COLUMNS.items():
        for table, column in columns if since > version else ():
            connection.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN {column}"))
    for since, tables in _TABLES.items():
        for table in tables if since > version else ():
            connection.execute(sa.text(f"DROP TABLE tracestore_{table}"))
    for since, keys in _KEYS.items():
        for key in keys if since > version else ():
            connection.execute(sa.text(f"DELETE FROM tracestore_meta WHERE key = '{key}'"))
    connection.execute(
        sa.text(f"UPDATE tracestore_meta SET value = '{version}' WHERE key = 'schema_version'")
    )
