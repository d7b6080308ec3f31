"""The nodes that share a catalog: what each says of itself, whether it is up, and which work is its own.

Times are the database's, so that clocks of hosts are never compared with each other. Leases are of work that one node
at a time may do, such as merging a day. A token names each time that a lease is taken. Who commits under a lease shows
the token in the same transaction: a holder whose lease ran out and was taken by another changes nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from tracestore.errors import StoreFailedError, StoreLockedError
from tracestore.store.catalog import database
from tracestore.store.catalog.schema.tables import CHANGES, LEASES, META, NODES
from tracestore.store.catalog.schema.versions import VERSION

LEASE_S: Final = 15.0
"""Seconds for which a node counts as up since it was last heard of: some heartbeats may be late, and a node that is
gone holds up nobody for longer."""

_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as the catalog knows it.

    Attributes:
        node_id: names the node, its log and its folder for ever.
        session: names the process that runs it.
        role: `all`, or `query` of one that takes no rows.
        url: where it answers; None before it does.
        place: host and folder.
        software: the version of its code.
        schema_version: of the catalog that its code is made for.
        wal_mark: first file of its log whose rows may be in no segment.
        seen_version: version of the catalog that it has followed to.
        held_version: oldest version that one of its readers still reads.
        started_ns, lease_ns: when it was started, and until when it counts as up, by the database's clock.
        stopped: whether it ended in good order, with nothing left in memory.
        is_up: whether its lease runs.
        lease_left_s: for how long it does, 0 where it does not.
    """

    node_id: str
    session: str
    role: str
    url: str | None
    place: str
    software: str
    schema_version: int
    wal_mark: int
    seen_version: int
    held_version: int
    started_ns: int
    lease_ns: int
    stopped: bool
    is_up: bool
    lease_left_s: float


def read_in(connection: sa.Connection) -> list[NodeRow]:
    """Returns every node that ever was and is not forgotten, in order of id."""
    now = database.now_ns(connection)
    rows = connection.execute(sa.select(NODES).order_by(NODES.c.node_id)).mappings().all()
    return [
        NodeRow(
            **row,
            is_up=row["lease_ns"] > now and not row["stopped"],
            lease_left_s=max(row["lease_ns"] - now, 0) / _NS,
        )
        for row in rows
    ]


def marks_in(connection: sa.Connection) -> dict[str, int]:
    """Returns the mark of each node's log."""
    query = sa.select(NODES.c.node_id, NODES.c.wal_mark)
    return {row.node_id: row.wal_mark for row in connection.execute(query)}


def register_in(connection: sa.Connection, values: dict[str, Any], *, takes_over: bool) -> None:
    """Notes that a process runs a node from now on.

    Args:
        connection: of a transaction that writes.
        values: what the node says of itself.
        takes_over: whether the process that ran it before is known to be gone.

    Raises StoreLockedError where another process runs it.
    """
    now = database.now_ns(connection)
    lease = {"started_ns": now, "lease_ns": now + int(LEASE_S * _NS), "stopped": False}
    where = NODES.c.node_id == values["node_id"]
    known = connection.execute(sa.select(NODES).where(where)).mappings().one_or_none()
    if known is None:
        fresh = {**values, **lease, "schema_version": VERSION, "wal_mark": 1}
        connection.execute(NODES.insert().values(**fresh))
        return
    is_up = known["lease_ns"] > now and not known["stopped"]
    if is_up and not (takes_over and known["place"] == values["place"]):
        left_s = (known["lease_ns"] - now) / _NS
        raise StoreLockedError(
            f"cannot run node {known['node_id']}: another process runs it at {known['url']} ({known['place']}); "
            f"give each node a folder of its own, or wait {left_s:.0f} s where that process is gone",
            f"locked by node {known['node_id']}",
            known["url"],
        )
    changed = {**values, **lease, "schema_version": VERSION}
    connection.execute(NODES.update().where(where).values(**changed))


def renew_in(
    connection: sa.Connection, node_id: str, session: str, seen_version: int, held_version: int
) -> bool:
    """Has a node's lease and those of its work run on; returns whether the process still runs the node."""
    now = database.now_ns(connection)
    until = now + int(LEASE_S * _NS)
    where = sa.and_(NODES.c.node_id == node_id, NODES.c.session == session)
    values = {"lease_ns": until, "seen_version": seen_version, "held_version": held_version}
    if connection.execute(NODES.update().where(where).values(**values)).rowcount != 1:
        return False
    # A lease that has run out may be another's by now: it is not taken up again.
    runs = sa.and_(LEASES.c.node_id == node_id, LEASES.c.lease_ns > now)
    connection.execute(LEASES.update().where(runs).values(lease_ns=until))
    return True


def set_url_in(connection: sa.Connection, node_id: str, session: str, url: str) -> None:
    """Notes where a node answers."""
    where = sa.and_(NODES.c.node_id == node_id, NODES.c.session == session)
    connection.execute(NODES.update().where(where).values(url=url))


def stop_in(connection: sa.Connection, node_id: str, session: str, *, is_empty: bool) -> None:
    """Notes that a node ends in good order, and whether nothing is left in its log."""
    where = sa.and_(NODES.c.node_id == node_id, NODES.c.session == session)
    values: dict[str, Any] = {"lease_ns": 0, "stopped": is_empty}
    connection.execute(NODES.update().where(where).values(**values))
    connection.execute(LEASES.delete().where(LEASES.c.node_id == node_id))


def move_mark_in(connection: sa.Connection, node_id: str, session: str, wal_mark: int) -> None:
    """Moves the mark of a node's log.

    Raises StoreFailedError where another process runs the node since.
    """
    where = sa.and_(NODES.c.node_id == node_id, NODES.c.session == session)
    if connection.execute(NODES.update().where(where).values(wal_mark=wal_mark)).rowcount != 1:
        raise StoreFailedError(
            f"cannot flush node {node_id}: another process runs it since; stop one of the two"
        )


def forget_changes_in(connection: sa.Connection) -> None:
    """Drops the changes that every node which is up has seen."""
    up = [node for node in read_in(connection) if node.is_up]
    if not up:
        return
    seen = min(node.seen_version for node in up)
    known = sa.select(META.c.value).where(META.c.key == "changes_from")
    if int(connection.execute(known).scalar_one()) >= seen:
        return
    connection.execute(CHANGES.delete().where(CHANGES.c.version <= seen))
    connection.execute(META.update().where(META.c.key == "changes_from").values(value=str(seen)))


def held_in(connection: sa.Connection) -> int | None:
    """Returns the oldest version of the catalog that a reader of some node still reads, None where no node is up."""
    return min((node.held_version for node in read_in(connection) if node.is_up), default=None)


def forget_in(connection: sa.Connection, node_id: str) -> bool:
    """Drops a node that is not up; returns whether there was one."""
    gone = sa.and_(NODES.c.node_id == node_id, NODES.c.lease_ns <= database.now_ns(connection))
    return connection.execute(NODES.delete().where(gone)).rowcount == 1


def take_lease_in(connection: sa.Connection, name: str, node_id: str) -> str | None:
    """Takes a lease; returns its token, None where another node has it, or one that it excludes."""
    now = database.now_ns(connection)
    others = sa.and_(LEASES.c.node_id != node_id, LEASES.c.lease_ns > now)
    taken = connection.execute(sa.select(LEASES.c.name).where(others)).scalars().all()
    if any(_exclude_each_other(name, other) for other in taken):
        return None
    token = secrets.token_hex(16)
    connection.execute(LEASES.delete().where(LEASES.c.name == name))
    values = {"node_id": node_id, "token": token, "lease_ns": now + int(LEASE_S * _NS)}
    connection.execute(LEASES.insert().values(name=name, **values))
    return token


def _exclude_each_other(name: str, other: str) -> bool:
    """Returns whether of two leases the names are the same, or one is of a part of what the other is of."""
    return name == other or name.startswith(f"{other}/") or other.startswith(f"{name}/")


def holds_lease_in(connection: sa.Connection, name: str, token: str) -> bool:
    """Returns whether nobody else has taken a lease since; one that ran out and that nobody took is held on."""
    query = sa.select(LEASES.c.token).where(LEASES.c.name == name)
    return bool(connection.execute(query).scalar_one_or_none() == token)


def give_lease_back_in(connection: sa.Connection, name: str, token: str) -> None:
    """Gives a lease back; one that another has taken stays."""
    mine = sa.and_(LEASES.c.name == name, LEASES.c.token == token)
    connection.execute(LEASES.delete().where(mine))
