"""What a query reads of one table, as a value. Knows no segment and no engine."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tracestore.variant import is_item_path, leaf_name, parse_path
from tracestore_query.tables.predicate import Predicate

TimeRange = tuple[int, int]
"""Nanoseconds since 1970, [start, stop)."""

EVER: TimeRange = (-(2**63), 2**63 - 1)
"""The time range that leaves nothing out."""

Leaf = tuple[str, str]
"""A path's text and a leaf type."""


@functools.lru_cache(maxsize=65_536)
def leaf_column_name(leaf: Leaf) -> str:
    """Returns the name of a leaf's column in a file."""
    path, leaf_type = leaf
    if is_item_path(path):
        return f"{path}:{leaf_type}"
    return leaf_name([str(key) for key in parse_path(path)], leaf_type)


@dataclass(frozen=True, slots=True)
class TopN:
    """The first or the last rows by time, where no other row can be in the answer.

    Attributes:
        rows: how many rows.
        last: whether the query asks for the last rows, else for the first.
        ties: whether a second sort key decides among rows of the same time.
    """

    rows: int
    last: bool
    ties: bool


@dataclass(frozen=True, slots=True)
class WordSearch:
    """A search that every row of a scan must meet, and nothing else of it decides.

    Attributes:
        words: that a row must hold.
        columns: the stored columns that are looked at, sorted; None for every text of a row.
    """

    words: tuple[str, ...]
    columns: tuple[str, ...] | None


EXACT: Final = "__is_found"
"""The column of a scan with searches that tells whether a row surely meets them."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One table of a query, and what the query reads of it.

    Attributes:
        token: name that stands for the scan in the query's tree; nothing else has this name.
        table: name of the stored table.
        fixed_columns: fixed columns to read, derived ones included.
        leaves: leaves to read, each with the name of its column in the scan.
        object_parts: leaves that objects are made of, with the names of their columns. They are read from
            columns only: `_overflow` holds what lies in a tail.
        object_fields: first keys of the objects that the query computes with.
        rebuilt_fields: first keys of the objects that are rebuilt once the answer's rows are known.
        non_null_paths: for every path that a matching row must have, its leaves.
        needs_row_ids: whether each row's file and number are read, to rebuild objects of the answer.
        needs_files: whether each row's file is read, as `__file`.
        predicate: conditions on stored columns that every row must meet.
        newest_only: whether only the newest row of each id counts, and none where that row is a deletion.
        time_range: range of times outside of which no row can match.
        trace_ids: traces whose rows alone can match, None for all.
        trace_names: of the parameters that give these ids, none where something else gives one.
        top_n: the rows by time that the query asks for, None for all.
        words: that every row must hold, in one case.
        looks_through: whether some of these are looked for inside of texts, of which no whole is known.
        searches: those of its conditions that words sidecars may decide alone.
        searched: the columns of the scan that nothing but these searches reads, sorted.
        item_lists: of item columns, the lists that are read beside them: from segments without the columns alone.
        carried: columns of files that objects of the answer are made of, by the names of the fields in which they come
            with the rows' ids. With none the objects are rebuilt from the files, once the answer's rows are known.
    """

    token: str
    table: str
    fixed_columns: tuple[str, ...] = ()
    leaves: Mapping[Leaf, str] = field(default_factory=dict)
    object_parts: Mapping[Leaf, str] = field(default_factory=dict)
    object_fields: frozenset[str] = frozenset()
    rebuilt_fields: frozenset[str] = frozenset()
    non_null_paths: tuple[tuple[Leaf, ...], ...] = ()
    needs_row_ids: bool = False
    predicate: Predicate = ()
    newest_only: bool = False
    time_range: TimeRange = EVER
    trace_ids: frozenset[str] | None = None
    top_n: TopN | None = None
    words: tuple[str, ...] = ()
    looks_through: bool = False
    needs_files: bool = False
    item_lists: Mapping[Leaf, Leaf] = field(default_factory=dict)
    trace_names: tuple[str, ...] = ()
    searches: tuple[WordSearch, ...] = ()
    searched: tuple[str, ...] = ()
    carried: Mapping[str, str] = field(default_factory=dict)
