"""What this node has in memory, as it tells other nodes: what they need of it, and have not."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.errors import StoreClosedError
from tracestore.store.core import Core
from tracestore.store.memory.memtable import MemoryMark, Memtable
from tracestore.store.memory.mirror import MemoryState
from tracestore.store.memory.need import NO_PATHS, Need, Paths, are_within, columns_of
from tracestore.store.memory.node_state import PeerAnswer, PeerState, Question
from tracestore.store.nodes.catch_up import catch_up
from tracestore.store.segments.replaced_rows import RowNumbers

COMPARED: Final = "spans"
"""The table of whose rows nodes keep one version: those that a query leaves out count beside those that it reads."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A table of rows, its number, and the least and the greatest of their times."""

    number: int
    table: pa.Table
    times: tuple[int, int]

    def reaches(self, need: Need) -> bool:
        """Returns whether some of its rows may be of the times that are needed."""
        if need.time_range is None:
            return True
        start, stop = need.time_range
        least, greatest = self.times
        return greatest >= start and least < stop


@dataclass(slots=True)
class _Told:
    """What other nodes were told of a memtable. It and its tables are kept, so that no other takes the id of one."""

    number: int
    memtable: Memtable
    chunks: dict[int, _Chunk] = field(default_factory=dict)


class MemoryAnswers:
    """The answers of a node to others that ask what it has in memory. Thread-safe."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._told: dict[int, _Told] = {}

    def answer(self, question: Question) -> PeerAnswer:
        """Returns what is visible and needed, as of the newest version of the catalog, without what the asker has."""
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
        session, need = node.name.session, question.need
        if question.session != session:
            question = Question(need, session)
        states: list[PeerState] = []
        chunks: dict[int, pa.Table] = {}
        with self._lock:
            before, self._told = self._told, {}
            for begin, mark, replacing in marked:
                name = id(mark.memtable)
                told = self._told[name] = before.get(name) or _Told(
                    next(self._numbers), mark.memtable
                )
                if need.has(mark.memtable.table, mark.memtable.project):
                    self._look(told, mark)
                    states.append(_state(told, mark, begin, replacing, question))
                    chunks.update(_missing(told, question))
            live = [
                number
                for told in self._told.values()
                for number in (told.number, *(chunk.number for chunk in told.chunks.values()))
            ]
        return PeerAnswer(session, version, states, chunks, live)

    def _look(self, told: _Told, mark: MemoryMark) -> None:
        """Takes the tables that a memtable has now."""
        before, told.chunks = told.chunks, {}
        for table in mark.read():
            told.chunks[id(table)] = before.get(id(table)) or _Chunk(
                next(self._numbers), table, _times(table, mark.memtable.spec.time_ns_column)
            )


def _times(table: pa.Table, column: str) -> tuple[int, int]:
    ends = pc.min_max(table.column(column))
    return ends["min"].as_py(), ends["max"].as_py()


def _state(
    told: _Told,
    mark: MemoryMark,
    begin: int,
    replacing: Mapping[str, RowNumbers],
    question: Question,
) -> PeerState:
    counts = mark.memtable.leaf_counts()
    values = np.fromiter(counts.values(), np.int64, len(counts))
    counted = int(values.sum())
    if question.counted.get(told.number) == counted:
        # Counts only grow: of equal sums they are the same.
        counts, values = {}, values[:0]
    chunks = told.chunks.values()
    aside: tuple[int, ...] = ()
    if mark.memtable.table == COMPARED:
        aside = tuple(chunk.number for chunk in chunks if not chunk.reaches(question.need))
    state = MemoryState(
        told.number,
        mark.memtable.table,
        mark.memtable.project,
        mark.visible,
        tuple(chunk.number for chunk in chunks if chunk.reaches(question.need)),
        tuple(counts),
        values,
    )
    return PeerState(state, begin, dict(replacing), aside, counted)


def _missing(told: _Told, question: Question) -> Iterator[tuple[int, pa.Table]]:
    """Yields the columns of tables that are needed and that the asker has not, by number."""
    table = told.memtable.table
    for chunk in told.chunks.values():
        is_read = chunk.reaches(question.need)
        if not is_read and table != COMPARED:
            continue
        paths = question.need.paths if is_read else NO_PATHS
        if chunk.number not in question.held:
            yield chunk.number, chunk.table.select(_columns(chunk, table, paths))
            continue
        held = question.held[chunk.number]
        if not are_within(paths, held):
            known = frozenset(_columns(chunk, table, held))
            new = [name for name in _columns(chunk, table, paths) if name not in known]
            if new:
                yield chunk.number, chunk.table.select(new)


def _columns(chunk: _Chunk, table: str, paths: Paths) -> list[str]:
    return columns_of(chunk.table.column_names, table, paths)
