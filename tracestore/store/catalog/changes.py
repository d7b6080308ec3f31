"""Changes of the catalog as values: what one transaction does, what came of it, and why it did nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tracestore.store.catalog.replaced_table import RowNumbers
from tracestore.store.catalog.segment_row import NewSegment, SegmentPaths, SegmentRow


@dataclass(frozen=True, slots=True)
class Change:
    """The change of the list of segments that one transaction makes, whole or not at all.

    Attributes:
        merged: patches, by time, that the added segments hold.
        dropped: patches that have no span any more.
        replaced: all rows of segments, the added ones among them, that do not count; of these segments alone.
        lease: name and token of the lease under which a node does it; None where it needs none.
        expected: the version that the change was made for; None where there is one writer.
    """

    added: Sequence[NewSegment] = ()
    removed: Sequence[SegmentRow] = ()
    wal_mark: int | None = None
    finished_delete: str | None = None
    deleted_rows: int = 0
    now_ns: int = 0
    merged: Collection[int] = ()
    dropped: Collection[int] = ()
    replaced: Mapping[str, RowNumbers] = field(default_factory=dict)
    lease: tuple[str, str] | None = None
    expected: int | None = None


class BehindError(Exception):
    """The news that other nodes changed the catalog since a change was made for it; nothing has changed."""


class LeaseLostError(Exception):
    """The news that another node has taken over the work that a change finishes; nothing has changed."""


@dataclass(frozen=True, slots=True)
class NodeName:
    """What names a node, and the process that runs it."""

    node_id: str
    session: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of a transaction.

    Attributes:
        version: of the catalog.
        path_bound: ids of paths from here on are unknown to it.
        added: rows that were added.
        paths: theirs by segment id.
    """

    version: int
    path_bound: int
    added: list[SegmentRow]
    paths: Mapping[str, SegmentPaths]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A change of the one writer of a catalog whose answer was lost.

    Attributes:
        applied: what it gives if it was made.
        make, apply: how it is made anew and made visible.
    """

    applied: Applied
    make: Callable[[], Change]
    apply: Callable[[Applied], None] | None


@dataclass(frozen=True, slots=True)
class PendingDelete:
    """A delete that was accepted and is not applied to every segment yet."""

    delete_id: str
    predicate: str
