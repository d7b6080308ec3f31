"""Deletes that a node could not take part in, since it did not answer: it does them as it learns of them.

With each stands which nodes have missed it, and for each of these the segments with rows that the delete has not seen.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

import sqlalchemy as sa

from tracestore.store.catalog.changes import Change, PendingDelete
from tracestore.store.catalog.schema.tables import DELETES

Missed = dict[str, list[str]]


def note_in(connection: sa.Connection, delete_id: str, node_ids: Collection[str]) -> None:
    """Notes which nodes have rows in memory that a delete has not seen."""
    _write(connection, delete_id, {node_id: [] for node_id in sorted(node_ids)})


def follow_in(connection: sa.Connection, node_id: str, change: Change) -> None:
    """Notes the segments that a node has flushed rows to which deletes have not seen, and what becomes of such ones.

    What merges with them cannot be told apart, and is deleted with them where it matches.
    """
    added = [segment.segment_id for segment in change.added]
    removed = {segment.segment_id for segment in change.removed}
    for delete, missed in _every(connection) if added else ():
        unseen = {
            name
            for name, segments in missed.items()
            if (change.wal_mark is not None and name == node_id) or removed.intersection(segments)
        }
        if unseen:
            noted = {
                name: segments + added if name in unseen else segments
                for name, segments in missed.items()
            }
            _write(connection, delete.delete_id, noted)


def read_in(connection: sa.Connection, node_id: str) -> list[tuple[PendingDelete, list[str]]]:
    """Returns the deletes that a node has missed, oldest first, each with the segments of its that have not seen it."""
    return [(delete, missed[node_id]) for delete, missed in _every(connection) if node_id in missed]


def forget_in(connection: sa.Connection, delete_id: str, node_id: str) -> None:
    """Notes that a node has done a delete."""
    for delete, missed in _every(connection):
        if delete.delete_id == delete_id:
            _write(connection, delete_id, {k: v for k, v in missed.items() if k != node_id})


def _every(connection: sa.Connection) -> Iterator[tuple[PendingDelete, Missed]]:
    query = sa.select(DELETES).where(DELETES.c.missed.is_not(None))
    for row in connection.execute(query.order_by(DELETES.c.delete_id)).all():
        told = json.loads(row.missed)
        # Nodes of the version before list the names alone.
        missed = told if isinstance(told, dict) else {name: [] for name in told}
        yield PendingDelete(row.delete_id, row.predicate), missed


def _write(connection: sa.Connection, delete_id: str, missed: Missed) -> None:
    where = DELETES.c.delete_id == delete_id
    text = json.dumps(missed) if missed else None
    connection.execute(DELETES.update().where(where).values(missed=text))
