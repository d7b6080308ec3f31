"""What this node has in memory, as it tells other nodes: what they have already is not sent again."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pyarrow as pa

from tracestore.errors import StoreClosedError
from tracestore.store.core import Core
from tracestore.store.memory.memtable import Memtable
from tracestore.store.memory.mirror import MemoryState
from tracestore.store.memory.node_state import Held, PeerAnswer, PeerState
from tracestore.store.nodes.catch_up import catch_up
from tracestore.store.segments.replaced_rows import RowNumbers


class MemoryAnswers:
    """The answers of a node to others that ask what it has in memory. Thread-safe."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        # The tables and memtables themselves are kept, so that no other takes the id of one.
        self._chunks: dict[int, tuple[int, pa.Table]] = {}
        self._memtables: dict[int, tuple[int, Memtable]] = {}

    def answer(self, held: Held | None) -> PeerAnswer:
        """Returns what is visible, as of the newest version of the catalog, without tables that the asker has."""
        core = self._core
        node = core.node
        if node is None:
            raise StoreClosedError("cannot tell other nodes what is in memory: this is no node")
        catch_up(core)
        with core.lock:
            core.last_read_s = core.clock.elapsed_s()
            version = core.version
            marked = [
                (generation.begin, memtable.mark(), dict(memtable.replacing))
                for generation in (*core.frozen, core.generation)
                for memtable in generation.memtables()
                if memtable.visible
            ]
        known = (
            set(held.numbers) if held is not None and held.session == node.name.session else set()
        )
        states: list[PeerState] = []
        chunks: dict[int, pa.Table] = {}
        with self._lock:
            before, self._chunks = self._chunks, {}
            memtables, self._memtables = self._memtables, {}
            for begin, mark, replacing in marked:
                memtable = mark.memtable
                numbers = []
                for table in mark.read():
                    number, _ = before.get(id(table)) or (next(self._numbers), table)
                    self._chunks[id(table)] = (number, table)
                    numbers.append(number)
                    if number not in known:
                        chunks[number] = table
                name = memtables.get(id(memtable)) or (next(self._numbers), memtable)
                self._memtables[id(memtable)] = name
                states.append(_state(name[0], memtable, mark.visible, numbers, begin, replacing))
        return PeerAnswer(node.name.session, version, states, chunks)


def _state(
    number: int,
    memtable: Memtable,
    visible: int,
    chunks: list[int],
    begin: int,
    replacing: dict[str, RowNumbers],
) -> PeerState:
    counts = memtable.leaf_counts()
    state = MemoryState(
        number,
        memtable.table,
        memtable.project,
        visible,
        tuple(chunks),
        tuple(counts),
        np.fromiter(counts.values(), np.int64, len(counts)),
    )
    return PeerState(state, begin, replacing)
