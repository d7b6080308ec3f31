"""One node among others: it registers, tells that it is up, and says how far it has followed them.

1. register: from now on others ask this node, and wait for its readers
2. tell, every few seconds, that it is up; leases of its work run on with it
3. at the end: say so, and whether anything is left in the log
A crash after any: the lease runs out; the log is replayed when the node is started again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import socket
import threading
from pathlib import Path
from typing import Final

from tracestore.errors import StoreClosedError, StoreFailedError, TraceStoreError
from tracestore.store.catalog.changes import NodeName
from tracestore.store.catalog.nodes import change_log, node_table
from tracestore.store.catalog.nodes.node_table import NodeRow
from tracestore.store.core import Core
from tracestore.store.files import filenames, leases
from tracestore.store.memory.node_state import NodeState
from tracestore.store.nodes.catch_up import catch_up
from tracestore.store.nodes.repeated import RepeatedRows

_LOG = logging.getLogger("tracestore.store")

BEAT_S: Final = 3.0
"""Seconds between two signs of life: four may be late before a node counts as gone."""

_FORGET_BEATS: Final = 5
"""Beats between two looks at what every node has seen of the changes."""


class Membership:
    """A node's registration, and the thread that keeps it up."""

    def __init__(self, core: Core, node: NodeState) -> None:
        self._core = core
        self._node = node
        self._stopping = threading.Event()
        self._is_open = False
        self._thread = threading.Thread(target=self._beat, name="tracestore-node", daemon=True)

    def start(self) -> None:
        """Starts to tell that the node is up: also while its store opens, which reads files that others must keep."""
        self._thread.start()

    def opened(self) -> None:
        """Follows the others from now on."""
        self.tell()
        self._is_open = True

    def announce(self, url: str) -> None:
        """Tells the others where the node answers; on return they know."""
        name = self._node.name
        with self._core.catalog.writing() as connection:
            node_table.set_url_in(connection, name.node_id, name.session, url)
            self._core.catalog.note_in(connection, [(change_log.NODES, name.node_id)])

    def tell(self) -> None:
        """Tells that the node is up."""
        core, name = self._core, self._node.name
        with core.lock:
            seen = core.version
            held = min(seen, *self._node.held.keys()) if self._node.held else seen
        oldest = leases.oldest_version(core.folder / filenames.READERS_FOLDER)
        if oldest is not None:
            held = min(held, oldest)
        with core.catalog.telling() as connection:
            if not node_table.renew_in(connection, name.node_id, name.session, seen, held):
                self._node.is_lost = True
                raise StoreFailedError(
                    f"cannot go on as node {name.node_id}: another process runs it since; stop one of the two"
                )

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def leave(self) -> None:
        """Tells the others that the node ends. They go on where it cannot be told: its lease runs out."""
        core, name = self._core, self._node.name
        with core.lock:
            is_empty = not core.frozen and core.generation.rows == 0
        with contextlib.suppress(TraceStoreError), core.catalog.writing() as connection:
            node_table.stop_in(connection, name.node_id, name.session, is_empty=is_empty)
            core.catalog.note_in(connection, [(change_log.NODES, name.node_id)])

    def _beat(self) -> None:
        beats = 0
        while not self._stopping.wait(BEAT_S):
            beats += 1
            # What it follows needs the bucket too: where that does not answer, the node is up all the same.
            steps = [self.tell]
            if self._is_open:
                steps += [self._follow, *([self._forget] if beats % _FORGET_BEATS == 0 else [])]
            for step in steps:
                try:
                    step()
                except StoreClosedError:
                    return
                except TraceStoreError as error:
                    _LOG.warning(
                        "cannot tell other nodes that this one is up, or follow them: %s", error
                    )
                except Exception:  # noqa: BLE001 - a thread that ends would have the node taken for gone
                    _LOG.exception("cannot tell other nodes that this one is up, or follow them")

    def _follow(self) -> None:
        catch_up(self._core)

    def _forget(self) -> None:
        with self._core.catalog.writing() as connection:
            node_table.forget_changes_in(connection)


def join(core: Core, role: str, software: str) -> Membership:
    """Registers the node that a store's folder is; the store's catalog is shared.

    Raises StoreLockedError where another process runs the node.
    """
    node_id, is_known = _own_id(core)
    name = NodeName(node_id, secrets.token_hex(16))
    values = {
        "node_id": node_id,
        "session": name.session,
        "role": role,
        "url": None,
        "place": f"{socket.gethostname()}:{core.folder.resolve()}",
        "software": software,
        "seen_version": 0,
        "held_version": 0,
    }
    with core.catalog.writing() as connection:
        # This process has the folder's lock: whoever ran the node in it, on this host, is gone.
        node_table.register_in(connection, values, takes_over=is_known)
        core.catalog.note_in(connection, [(change_log.NODES, node_id)])
        nodes = node_table.read_in(connection)
        marks = node_table.marks_in(connection)
    node = NodeState(name, role)
    node.nodes, node.marks = nodes, marks
    node.repeated = RepeatedRows(core)
    core.node = node
    core.catalog.node = name
    node.member = member = Membership(core, node)
    member.start()
    return member


def nodes_of(core: Core) -> list[NodeRow]:
    """Returns every node that shares a store's catalog; none where it is not shared."""
    if core.node is None:
        return []
    with core.catalog.transaction() as connection:
        return node_table.read_in(connection)


def forget(core: Core, node_id: str) -> bool:
    """Drops a node that will not return: others do not miss its rows any more. Returns whether there was one."""
    with core.catalog.writing() as connection:
        done = node_table.forget_in(connection, node_id)
        if done:
            core.catalog.note_in(connection, [(change_log.NODES, node_id)])
    return done


def _own_id(core: Core) -> tuple[str, bool]:
    """Returns the id that a folder's node has for ever, and whether it had one before."""
    path: Path = core.folder / filenames.NODE
    try:
        node_id: str = json.loads(path.read_bytes())["node_id"]
    except FileNotFoundError:
        node_id = core.ulids.make(core.clock.now_ns())
        partial = filenames.temporary(path)
        core.fs.remove(partial)
        file = core.fs.create(partial)
        try:
            file.write(json.dumps({"node_id": node_id}).encode())
            file.sync()
        finally:
            file.close()
        core.fs.rename(partial, path)
        core.fs.sync_folder(core.folder)
        return node_id, False
    return node_id, True
