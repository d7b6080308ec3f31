"""Which columns a project's segments are clustered by: what the catalog keeps of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from tracestore import limits
from tracestore.errors import CatalogError, LimitExceededError, PathSyntaxError
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.schema import versions
from tracestore.store.catalog.schema.tables import META, PROJECTS
from tracestore.variant import parse_path

SINCE_VERSION: Final = 9
"""The catalog's version whose code knows of clustered segments: older code takes rows for sorted by time."""

_CLUSTERED_TABLES: Final = ("spans", "logs")


def columns_of(catalog: Catalog, project: str) -> tuple[str, ...]:
    """Returns the columns that a project's new segments are clustered by, none where they are sorted by time."""
    return all_columns(catalog).get(project, ())


def all_columns(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """Returns the same of every project that names some."""
    query = sa.select(PROJECTS.c.name, PROJECTS.c.cluster_by)
    with catalog.transaction() as connection:
        if versions.read_version(connection, catalog.name) < SINCE_VERSION:
            return {}  # an older catalog, opened by a reader
        rows = connection.execute(query.where(PROJECTS.c.cluster_by.is_not(None))).all()
    return {row.name: tuple(json.loads(row.cluster_by)) for row in rows}


def set_columns(catalog: Catalog, project: str, columns: Sequence[str], now_ns: int) -> None:
    """Sets by which columns a project's segments are clustered from now on; none sorts them by time.

    Raises:
        LimitExceededError: where there are more columns than may be.
        PathSyntaxError: where one is no column or path of spans or logs, or stands there twice.
        CatalogError: where a node is up whose code takes all segments for sorted by time.
    """
    check_columns(columns)
    text = json.dumps(list(columns)) if columns else None
    with catalog.writing() as connection:
        if columns:
            _require_version(connection, catalog.name)
        where = PROJECTS.c.name == project
        done = connection.execute(PROJECTS.update().where(where).values(cluster_by=text))
        if done.rowcount == 0:
            values = {"name": project, "created_ns": now_ns, "cluster_by": text}
            connection.execute(PROJECTS.insert().values(**values))


def check_columns(columns: Sequence[str]) -> None:
    """Raises what `set_columns` raises for columns that cannot be."""
    if len(columns) > limits.MAX_CLUSTER_COLUMNS:
        raise LimitExceededError(
            f"cannot cluster by {len(columns)} columns: want at most {limits.MAX_CLUSTER_COLUMNS}"
        )
    if len(set(columns)) < len(columns):
        raise PathSyntaxError("cannot cluster: a column is named twice; name each once")
    for column in columns:
        _check_column(column)


def _check_column(column: str) -> None:
    path = parse_path(column)
    if len(column.encode("utf-8", "surrogatepass")) > limits.MAX_PATH_BYTES:
        raise LimitExceededError(f"cannot cluster by {column!r:.60}: it is no path of a column")
    if not any(_is_of(table, path) for table in _CLUSTERED_TABLES):
        raise PathSyntaxError(
            f"cannot cluster by {column!r}: it is no column or path of spans or logs; name one, "
            "as service or attributes.http.route"
        )


def _is_of(table: str, path: list[str | int]) -> bool:
    """Tells whether a path is a stored column of a table, or a path in one of its variants."""
    spec = SEGMENT_TABLES[table]
    if len(path) == 1 and path[0] in spec.columns:
        return path[0] not in {*spec.derived, spec.time_column, spec.time_ns_column}
    return bool(path) and path[0] in spec.spec.variants and all(isinstance(k, str) for k in path)


def _require_version(connection: sa.Connection, name: str) -> None:
    """Notes that code of an older version may not open the catalog any more."""
    ids = versions.older_nodes(connection, SINCE_VERSION)
    if ids:
        raise CatalogError(
            f"cannot cluster segments of catalog {name}: nodes that cannot read them are up: "
            f"{', '.join(ids)}; update and restart them first"
        )
    key = META.c.key == "compatible_version"
    known = connection.execute(sa.select(META.c.value).where(key)).scalar_one()
    wanted = max(int(known), SINCE_VERSION)
    connection.execute(META.update().where(key).values(value=str(wanted)))
