"""What a snapshot of a node shows beside its own rows: everything that was acknowledged by any node before it began.

1. ask all other nodes what they have in memory
2. follow the catalog to its newest version
3. ask those again that answered as of another version
At the end all rows are as of one version: what a node wrote to a segment meanwhile is in the list of segments, and its
rows in memory are left out; no row is in both or in none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import pyarrow as pa

from tracestore.errors import CatalogError, StoreFailedError
from tracestore.store.catalog.nodes import node_table
from tracestore.store.catalog.nodes.node_table import NodeRow
from tracestore.store.core import Core
from tracestore.store.memory.memtable import MemoryMark
from tracestore.store.memory.mirror import PeerMemtable
from tracestore.store.memory.need import Need
from tracestore.store.memory.node_state import (
    Mirror,
    NodeState,
    PeerAnswer,
    PeerMemory,
    PeerState,
)
from tracestore.store.nodes.catch_up import catch_up
from tracestore.store.segments.replaced_rows import RowNumbers, union

MAX_ROUNDS: Final = 12
"""Times that nodes are asked for one snapshot; more are needed only where several commit all the time."""

SILENT_S: Final = 2.0
"""Seconds for which a node that did not answer is not asked again, so that not every query waits for it."""

T = TypeVar("T")


def current(core: Core, need: Need, capture: Callable[[], T]) -> T:
    """Returns what a function reads under the store's lock, at a moment when everything that was acknowledged is there.

    Args:
        core: the store.
        need: what is read of the rows in memory of other nodes; others of them are not there. Where it is nothing,
            nobody is asked.
        capture: reads what a snapshot shows; the store's lock is held.
    """
    node = core.node
    if node is None or need.is_nothing:
        with core.lock:
            return capture()
    with node.reading:
        rounds = 0
        while True:
            rounds += 1
            _refresh(core, node, need)
            with core.lock:
                if node.memory.version == core.version:
                    return capture()
            # A flush or a merge of this node came between.
            if rounds >= MAX_ROUNDS:
                raise StoreFailedError(
                    "cannot take a snapshot: nodes change segments faster than they can be followed; try again"
                )


def memory_marks(core: Core) -> list[MemoryMark]:
    """Returns what is visible in memory, the oldest first, other nodes before this one. The store's lock is held."""
    others = core.node.memory.memtables if core.node is not None else ()
    return [
        memtable.mark()
        for memtables in (
            others,
            *(generation.memtables() for generation in (*core.frozen, core.generation)),
        )
        for memtable in memtables
        if memtable.visible
    ]


def mirrored_tables(core: Core) -> list[pa.Table]:
    """Returns the tables of rows of other nodes that are here: what is needed of them may be shown again."""
    if core.node is None:
        return []
    with core.node.reading:
        return [table for mirror in core.node.mirrors.values() for table in mirror.chunks.values()]


def once(core: Core, marks: list[MemoryMark]) -> list[MemoryMark]:
    """Returns marks that show each span once, also one that is in memory of several nodes."""
    if core.node is None or core.node.repeated is None:
        return marks
    return core.node.repeated.without(marks)


def replaced_rows(core: Core) -> Mapping[str, RowNumbers]:
    """Returns the rows of segments that do not count, by segment id. The store's lock is held."""
    known = core.replaced.all
    others = core.node.memory.replacing if core.node is not None else {}
    if not others:
        return known
    cached = core.replaced_with_others
    if cached is None or cached[0] is not known or cached[1] is not others:
        cached = (known, others, {**known, **union(known, others)})
        core.replaced_with_others = cached
    return cached[2]


def missing(core: Core) -> tuple[str, ...]:
    """Returns what a snapshot may lack, in words."""
    node = core.node
    if node is None:
        return core.missing
    return (*node.memory.silent, *([node.unreachable] if node.unreachable else []))


def _refresh(core: Core, node: NodeState, need: Need) -> None:
    answers: dict[str, PeerAnswer] = {}
    silent: dict[str, str] = {}
    for _ in range(MAX_ROUNDS):
        if node.nodes is None:
            # One that did not answer may be another process by now, at another place.
            silent.clear()
        asked = [
            peer
            for peer in _others(core, node) or ()
            if peer.node_id not in silent
            and (peer.node_id not in answers or answers[peer.node_id].version != core.version)
        ]
        _ask(core, node, need, asked, answers, silent)
        if core.clock.elapsed_s() >= node.unreachable_until_s:
            with _noting(core, node):
                catch_up(core)
        with core.lock:
            peers = _others(core, node, read=False)
            if peers is not None and all(
                peer.node_id in silent
                or (peer.node_id in answers and answers[peer.node_id].version == core.version)
                for peer in peers
            ):
                break
        if node.unreachable is not None:
            break
    _take(core, node, answers, silent)


def _others(core: Core, node: NodeState, *, read: bool = True) -> Sequence[NodeRow] | None:
    """Returns the nodes that may have rows in memory; None where they must be read, and shall not be."""
    if node.nodes is None:
        if not read:
            return None
        if core.clock.elapsed_s() < node.unreachable_until_s:
            return []
        with _noting(core, node), core.catalog.transaction() as connection:
            node.nodes = node_table.read_in(connection)
    me = node.name.node_id
    return [
        each
        for each in node.nodes or ()
        if each.node_id != me and each.role != "query" and not each.stopped
    ]


@contextlib.contextmanager
def _noting(core: Core, node: NodeState) -> Iterator[None]:
    """Notes whether the catalog answers: where it does not, a snapshot shows what is known, and says so."""
    try:
        yield
        node.unreachable = None
    except CatalogError as error:
        node.unreachable_until_s = core.clock.elapsed_s() + SILENT_S
        node.unreachable = (
            f"the catalog does not answer, so that rows of other nodes may be missing: {error}"
        )


def _ask(
    core: Core,
    node: NodeState,
    need: Need,
    nodes: Sequence[NodeRow] | None,
    answers: dict[str, PeerAnswer],
    silent: dict[str, str],
) -> None:
    now_s = core.clock.elapsed_s()
    asked = []
    for peer in nodes or ():
        if node.silent_until_s.get(peer.node_id, 0.0) > now_s:
            silent[peer.node_id] = "it did not answer a moment ago"
        elif peer.url is None:
            silent[peer.node_id] = "it is being started"
        else:
            asked.append(peer)
    if not asked:
        return
    if node.peers is None:
        silent.update({peer.node_id: "this process asks no other node" for peer in asked})
        return
    mirrors = {peer.node_id: node.mirrors.setdefault(peer.node_id, Mirror()) for peer in asked}
    questions = {name: mirror.question(need) for name, mirror in mirrors.items()}
    for name, answer in node.peers.memory(asked, questions).items():
        if isinstance(answer, str):
            silent[name] = answer
            answers.pop(name, None)
            node.silent_until_s[name] = core.clock.elapsed_s() + SILENT_S
            node.silent_asks += 1
            continue
        answers[name] = answer
        mirrors[name].take(answer, need)


def _take(
    core: Core, node: NodeState, answers: Mapping[str, PeerAnswer], silent: Mapping[str, str]
) -> None:
    """Shows the rows of the nodes that answered as of the version that the store is at."""
    places = {
        peer.node_id: f"{peer.node_id} ({peer.url or peer.place})" for peer in node.nodes or ()
    }
    with core.lock:
        version = core.version
        memtables: list[PeerMemtable] = []
        told = {places.get(name, name): why for name, why in silent.items()}
        for name, answer in answers.items():
            if answer.version != version:
                told[places.get(name, name)] = "it has another version of the catalog"
                continue
            memtables += [
                _memtable(node.memory, name, each, node.mirrors[name])
                for each in answer.memtables
                if each.begin >= node.marks.get(name, 0)
            ]
        replacing: dict[str, RowNumbers] = {}
        for memtable in memtables:
            replacing.update(union(replacing, memtable.replacing))
        words = tuple(
            f"node {place} does not answer, so that its rows which are in no segment are missing: {why}"
            for place, why in sorted(told.items())
        )
        before = node.memory
        same = len(replacing) == len(before.replacing) and all(
            name in before.replacing and before.replacing[name].tolist() == rows.tolist()
            for name, rows in replacing.items()
        )
        node.memory = PeerMemory(version, memtables, before.replacing if same else replacing, words)


def _memtable(before: PeerMemory, node_id: str, told: PeerState, mirror: Mirror) -> PeerMemtable:
    """Returns a memtable of another node; the one that was shown before where it has the same rows."""
    chunks, aside = (
        [mirror.chunks[number] for number in numbers] for numbers in (told.state.chunks, told.aside)
    )
    for memtable in before.memtables:
        if memtable.node_id == node_id and memtable.shows(told.state, chunks, aside):
            memtable.replacing = dict(told.replacing)
            return memtable
    state = mirror.state(told)
    return PeerMemtable(state, chunks, aside, node_id, told.begin, told.replacing)
