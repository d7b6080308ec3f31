"""Deletes of rows: each is noted before it is done, so that a crash does not forget it."""

from __future__ import annotations

import sqlalchemy as sa

from tracestore.store.catalog.changes import Change, PendingDelete
from tracestore.store.catalog.schema.tables import DELETES


def begin_in(connection: sa.Connection, delete_id: str, predicate: str, now_ns: int) -> None:
    """Notes a delete."""
    values = {"delete_id": delete_id, "predicate": predicate, "created_ns": now_ns, "rows": 0}
    connection.execute(DELETES.insert().values(**values))


def finish_in(connection: sa.Connection, change: Change) -> None:
    """Notes the delete as done that a change finishes, if it finishes one."""
    if change.finished_delete is not None:
        done = {"done_ns": change.now_ns, "rows": change.deleted_rows}
        where = DELETES.c.delete_id == change.finished_delete
        connection.execute(DELETES.update().where(where).values(**done))


def pending_in(connection: sa.Connection) -> list[PendingDelete]:
    """Returns deletes that are not done, oldest first."""
    query = sa.select(DELETES.c.delete_id, DELETES.c.predicate).where(DELETES.c.done_ns.is_(None))
    rows = connection.execute(query.order_by(DELETES.c.delete_id)).all()
    return [PendingDelete(row.delete_id, row.predicate) for row in rows]
