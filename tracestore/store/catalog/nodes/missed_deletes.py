"""Deletes that a node could not take part in, since it did not answer: it applies them as it returns."""

from __future__ import annotations

import json
from collections.abc import Collection

import sqlalchemy as sa

from tracestore.store.catalog.changes import PendingDelete
from tracestore.store.catalog.schema.tables import DELETES


def note_in(connection: sa.Connection, delete_id: str, node_ids: Collection[str]) -> None:
    """Notes which nodes have rows in memory that a delete has not seen."""
    missed = json.dumps(sorted(node_ids)) if node_ids else None
    where = DELETES.c.delete_id == delete_id
    connection.execute(DELETES.update().where(where).values(missed=missed))


def read_in(connection: sa.Connection, node_id: str) -> list[tuple[PendingDelete, list[str]]]:
    """Returns the deletes that a node has missed, oldest first, each with all nodes that have."""
    query = sa.select(DELETES).where(DELETES.c.missed.is_not(None))
    rows = connection.execute(query.order_by(DELETES.c.delete_id)).all()
    missed = [(PendingDelete(row.delete_id, row.predicate), json.loads(row.missed)) for row in rows]
    return [(delete, nodes) for delete, nodes in missed if node_id in nodes]
