"""Which version a catalog has, what of its tables that version knows, and which nodes know only older ones."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from tracestore.errors import FormatVersionError
from tracestore.store.catalog import database
from tracestore.store.catalog.schema.tables import META, NODES, SEGMENTS

VERSION: Final = 9

COMPATIBLE: Final = 8
"""The oldest version whose code may open a catalog of this one. A step that only adds leaves it as it is; what needs
newer code raises it where it is first used."""

SEGMENT_COLUMNS_SINCE: Final = {
    "words_bytes": 6,
    "words_crc": 6,
    "words_footer_crc": 6,
    "cluster_columns": 9,
}
"""The version with which a column of segments came; all others were there from the first."""


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


def segment_columns(connection: sa.Connection, name: str) -> list[sa.Column[Any]]:
    """Returns the columns that the catalog's segments have: those of its version, since a reader migrates none."""
    version = read_version(connection, name)
    since = SEGMENT_COLUMNS_SINCE
    return [column for column in SEGMENTS.c if version >= since.get(column.name, 1)]


def older_nodes(connection: sa.Connection, version: int) -> list[str]:
    """Returns the ids of the nodes that are up and whose code is made for a version before this, in order."""
    is_up = NODES.c.lease_ns > database.now_ns(connection)
    older = sa.select(NODES.c.node_id).where(NODES.c.schema_version < version, is_up)
    return sorted(connection.execute(older).scalars())
