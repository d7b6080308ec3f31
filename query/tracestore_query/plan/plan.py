"""The plan of a query as a value: what is read, and what is computed from it. Knows no engine.

A query becomes its own tree with every table replaced by a `Scan`, and every path replaced by an expression
over that scan's leaves. An engine turns scans into its own reads; `scan_sql` does so for DuckDB.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from tracestore.store import SegmentPatches, SegmentRef

EVER = (-(2**63), 2**63 - 1)
"""The time range that leaves nothing out."""

Leaf = tuple[str, str]
"""A path's text and a leaf type."""


@dataclass(frozen=True, slots=True)
class TailGroup:
    """Is segments that have the same wanted leaves in their tails.

    Attributes:
        leaves: those leaves.
        needed: paths among them that a matching row must have, and has nowhere but in the tail.
        found: the rows of the tails that have one of these paths, where they are few: no other row is read.
    """

    segments: tuple[SegmentRef, ...]
    leaves: tuple[Leaf, ...]
    needed: frozenset[str]
    found: FoundRows | None = None


@dataclass(frozen=True, slots=True)
class FoundRows:
    """Is the rows of a tail path: a table of `file`, `row`, and the path's columns."""

    path: str
    table: pa.Table


@dataclass(frozen=True, slots=True)
class Ends:
    """Is what a query wants of a table: so many rows, the last or the first by time.

    Attributes:
        rows: how many.
        last: whether the last ones.
        ties: whether rows of the same time as the last wanted one are judged by what the query says next.
    """

    rows: int
    last: bool
    ties: bool


@dataclass(slots=True)
class Scan:
    """Reads one table, once.

    Attributes:
        token: the name that stands for the scan in the query's tree; nothing else has it.
        table: the stored table.
        plain: the segments to read, after pruning, in which every wanted leaf is a column or absent.
        tailed: those in which a wanted leaf is in the tail, in groups that are read alike.
        pruned: how many of the table's segments were left out.
        memtable: rows in no segment yet.
        fixed: fixed columns wanted, derived ones included.
        leaves: leaves wanted, each with the column name it has in the scan.
        objects: fields whose values are rebuilt once the result is known.
        required: for every path that a matching row must have, its leaves.
        parts: leaves wanted as columns only, for objects: what lies in a tail is in `_overflow` too.
        rows_wanted: whether every row's place is wanted, to rebuild objects once the result is known.
        predicate: SQL over fixed columns that rows must meet, None for all.
        judged: the fixed columns that it is about.
        newest_only: whether of the rows of one id only the newest counts, and none where that is a deletion.
        time_range: nanoseconds [start, stop) outside of which no row of it can match.
        trace_ids: the only traces whose rows can match, None for all.
        ends: the first or last rows by time that are wanted, None for all.
        cuts: of plain segments, by file: the half-open range of the rows to read.
        patched: of segments, by file: rows whose wanted fields some patch changes.
        patched_fields: those fields.
    """

    token: str
    table: str
    plain: tuple[SegmentRef, ...] = ()
    tailed: tuple[TailGroup, ...] = ()
    pruned: int = 0
    memtable: tuple[pa.Table, ...] = ()
    fixed: dict[str, None] = field(default_factory=dict)
    leaves: dict[Leaf, str] = field(default_factory=dict)
    parts: dict[Leaf, str] = field(default_factory=dict)
    objects: dict[str, None] = field(default_factory=dict)
    required: list[tuple[Leaf, ...]] = field(default_factory=list)
    rows_wanted: bool = False
    predicate: str | None = None
    judged: tuple[str, ...] = ("project", "experiment")
    newest_only: bool = False
    time_range: tuple[int, int] = EVER
    trace_ids: frozenset[str] | None = None
    ends: Ends | None = None
    cuts: dict[str, tuple[int, int]] = field(default_factory=dict)
    patched: dict[str, SegmentPatches] = field(default_factory=dict)
    patched_fields: frozenset[str] = frozenset()

    @property
    def segments(self) -> tuple[SegmentRef, ...]:
        """Returns the segments to read."""
        return (*self.plain, *(each for group in self.tailed for each in group.segments))

    def leaf(self, path: str, leaf_type: str) -> str:
        """Returns the scan's column of a leaf, wanted from now on."""
        return self.leaves.setdefault((path, leaf_type), f"__leaf{len(self.leaves)}")

    def part(self, path: str, leaf_type: str) -> str:
        """Returns the scan's column of a leaf as a part of an object."""
        return self.parts.setdefault((path, leaf_type), f"__part{len(self.parts)}")


@dataclass(slots=True)
class Rebuilt:
    """Is an output column whose objects are rebuilt after the result is known.

    Attributes:
        output: position among the output columns; it holds the rows' places until then.
        scan: where the rows come from.
        path: keys of the value wanted.
    """

    output: int
    scan: Scan
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObjectCall:
    """Is a function of a query that makes JSON of a struct of leaves, for objects that the query computes with.

    Attributes:
        path: keys of the object.
        leaves: the struct's fields after the first, which is `_overflow`.
        moved: whether the last field is `moved_attributes`, and what moved is put back.
    """

    path: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    moved: bool = False


def part_name(number: int) -> str:
    """Returns a field's name in the struct of an object call: leaves' names may differ in case alone, fields' not."""
    return f"part{number}"


@dataclass(slots=True)
class Plan:
    """Is a query ready for an engine.

    Attributes:
        tree: the statement, over tokens of scans.
        scans: by token.
        tables: of the catalog, by token.
        objects: the functions that the tree calls, by name.
        rebuilt: output columns to rebuild.
        warnings: what the answer should carry along.
    """

    tree: exp.Expr
    scans: dict[str, Scan]
    tables: dict[str, pa.Table]
    objects: dict[str, ObjectCall]
    rebuilt: list[Rebuilt]
    warnings: list[str]
