"""What a node knows of itself and of the other nodes that share its catalog."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import pyarrow as pa

from tracestore.store.catalog.changes import NodeName
from tracestore.store.catalog.nodes.node_table import NodeRow
from tracestore.store.catalog.path_ids import Leaf
from tracestore.store.memory.memtable import MemoryMark, RowNumbers
from tracestore.store.memory.mirror import MemoryState, PeerMemtable
from tracestore.store.memory.need import NO_PATHS, Need, Paths, both

NO_VERSION: Final = -1


@dataclass(frozen=True, slots=True)
class PeerState:
    """The visible rows of one memtable of a node, as it tells them to others.

    Attributes:
        state: which rows.
        begin: the first file of its log that may hold them.
        replacing: rows of segments that versions there replaced, by segment id.
        aside: numbers of tables of spans beyond the times that are asked for: a version of one may be in another node.
        counted: the sum of the counts of leaves. Where the state has none, the asker knows them.
    """

    state: MemoryState
    begin: int
    replacing: Mapping[str, RowNumbers]
    aside: tuple[int, ...] = ()
    counted: int = 0


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What a node has in memory of what it is asked for, as of one version of the catalog.

    Attributes:
        session: of its process, which numbers its tables and memtables.
        version: of the catalog. The node has compared its rows with all segments of it.
        memtables: its memtables with rows that are asked for.
        chunks: columns of tables of rows that the asker has not, by number.
        live: numbers of all its tables and memtables that it may tell of again.
    """

    session: str
    version: int
    memtables: Sequence[PeerState]
    chunks: Mapping[int, pa.Table]
    live: Collection[int]


@dataclass(frozen=True, slots=True)
class Question:
    """What an asker needs of a node, and what it has already: of one session of the node.

    Attributes:
        need: the rows and columns.
        session: that numbered what it has.
        held: paths that it has of tables, by number.
        counted: the sums of the counts of leaves that it has of memtables, by number.
    """

    need: Need
    session: str = ""
    held: Mapping[int, Paths] = field(default_factory=dict)
    counted: Mapping[int, int] = field(default_factory=dict)


class Peers(Protocol):
    """What asks other nodes, all at once. What does not answer is told in words."""

    def memory(
        self, nodes: Sequence[NodeRow], questions: Mapping[str, Question]
    ) -> Mapping[str, PeerAnswer | str]:
        """Returns by node id what each has in memory, as of the newest version of the catalog."""

    def flush(self, nodes: Sequence[NodeRow]) -> Mapping[str, str | None]:
        """Has nodes write their memory to segments; returns by node id why one did not, None where it did."""


class Member(Protocol):
    """What keeps a node registered."""

    def announce(self, url: str) -> None:
        """Tells the others where the node answers."""

    def stop(self) -> None:
        """Stops telling that the node is up."""

    def leave(self) -> None:
        """Tells the others that the node ends."""


class Repeated(Protocol):
    """What finds spans that are in memory of several nodes."""

    def without(self, marks: Sequence[MemoryMark]) -> list[MemoryMark]:
        """Returns marks that show each span once."""


@dataclass(frozen=True, slots=True)
class PeerMemory:
    """The rows in memory of all other nodes that answered.

    Attributes:
        version: of the catalog at which they complement its segments.
        memtables: with the rows.
        replacing: rows of segments that versions in them replaced, by segment id.
        silent: what is missing, in words.
    """

    version: int = NO_VERSION
    memtables: Sequence[PeerMemtable] = ()
    replacing: Mapping[str, RowNumbers] = field(default_factory=dict)
    silent: tuple[str, ...] = ()


@dataclass(slots=True)
class Mirror:
    """What is known of one node, by its numbers.

    Attributes:
        session: of the process that numbered it.
        chunks: tables with the columns that were fetched so far.
        paths: of which these are the columns.
        leaves: of memtables, with their counts.
    """

    session: str = ""
    chunks: dict[int, pa.Table] = field(default_factory=dict)
    paths: dict[int, Paths] = field(default_factory=dict)
    leaves: dict[int, tuple[tuple[Leaf, ...], RowNumbers]] = field(default_factory=dict)

    def question(self, need: Need) -> Question:
        """Returns what to ask the node for."""
        counted = {number: int(counts.sum()) for number, (_, counts) in self.leaves.items()}
        return Question(need, self.session, dict(self.paths), counted)

    def take(self, answer: PeerAnswer, need: Need) -> None:
        """Takes what the node answered."""
        if self.session != answer.session:
            self.session, self.chunks, self.paths, self.leaves = answer.session, {}, {}, {}
        for number, part in answer.chunks.items():
            self.chunks[number] = _beside(self.chunks.get(number), part)
        for told in answer.memtables:
            for paths, numbers in ((need.paths, told.state.chunks), (NO_PATHS, told.aside)):
                for number in numbers:
                    self.paths[number] = both(self.paths.get(number, paths), paths)
            state = told.state
            if int(state.counts.sum()) == told.counted:
                self.leaves[state.number] = (state.leaves, state.counts)
        for known in (self.chunks, self.paths, self.leaves):
            for number in known.keys() - answer.live:
                del known[number]

    def state(self, told: PeerState) -> MemoryState:
        """Returns a state of the last answer with its leaves."""
        leaves, counts = self.leaves[told.state.number]
        return replace(told.state, leaves=leaves, counts=counts)


def _beside(table: pa.Table | None, part: pa.Table) -> pa.Table:
    """Returns a table with further columns."""
    if table is None:
        return part
    for arrow_field, column in zip(part.schema, part.columns, strict=True):
        table = table.append_column(arrow_field, column)
    return table


class NodeState:
    """What a node knows. `core.lock` guards what a snapshot reads.

    Lock order: `reading`, then `following`, then the gate.

    Attributes:
        name: of the node and its process.
        role: `all`, or `query` of a node that takes no rows.
        peers: asks the others; None while nobody does.
        repeated: finds what is in memory of several nodes.
        member: keeps it registered.
        is_replaying: whether its log is read again: of other nodes' versions of a span nobody knows which came first.
        following: held while the store is brought up to the catalog, and while a change of its own is made.
        reading: held while other nodes are asked for a snapshot.
        nodes: of the catalog, None where they must be read again.
        memory: rows of the others.
        mirrors: tables of the others by node id.
        leases: token and number of users of each lease, by name.
        silent_until_s: when a node that did not answer is asked again, by node id.
        held: open snapshots of this process by version.
        unreachable: why the catalog does not answer, None where it does.
        unreachable_until_s: when it is asked again.
        silent_asks: times that a node did not answer.
        is_lost: whether another process runs the node since.
        may_have_missed: whether a delete was finished of which nobody has looked whether it reached this node.
    """

    def __init__(self, name: NodeName, role: str) -> None:
        self.name = name
        self.role = role
        self.peers: Peers | None = None
        self.repeated: Repeated | None = None
        self.member: Member | None = None
        self.is_replaying = False
        self.following = threading.RLock()
        self.reading = threading.RLock()
        self.nodes: Sequence[NodeRow] | None = None
        self.marks: Mapping[str, int] = {}
        self.memory = PeerMemory()
        self.mirrors: dict[str, Mirror] = {}
        self.leases: dict[str, tuple[str, int]] = {}
        self.silent_until_s: dict[str, float] = {}
        self.held: Counter[int] = Counter()
        self.unreachable: str | None = None
        self.unreachable_until_s = 0.0
        self.silent_asks = 0
        self.is_lost = False
        self.may_have_missed = False
