"""Numbers for paths: each (path text, type) of a table and project has one id for ever.

Loaded per table and project when first needed, so that opening a store costs nothing per path.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tracestore.errors import CatalogError

MAX_RETIRED_PATHS: Final = 65_536
"""Paths of a table and project that no live segment has, kept for the snapshots that still read them."""

Owner = tuple[str, str]  # table, project
Leaf = tuple[str, str]  # path text, type


@dataclass(frozen=True, slots=True)
class PathRow:
    """One path of the growing schema. `rows` counts those of live segments only."""

    path_id: int
    path: str
    type: str
    first_seen_ns: int
    last_seen_ns: int
    rows: int


@dataclass(slots=True)
class OwnedPaths:
    """The paths of one table and project.

    Attributes:
        ids: of the paths that live segments have.
        leaves: the same paths by id.
        retired: paths by id that a change of segments has dropped; snapshots from before it may read them.
        retired_ids: the same by leaf.
        dropped_at: the catalog's version that dropped each of them.
    """

    ids: dict[Leaf, int] = field(default_factory=dict)
    leaves: dict[int, Leaf] = field(default_factory=dict)
    retired: OrderedDict[int, Leaf] = field(default_factory=OrderedDict)
    retired_ids: dict[Leaf, tuple[int, ...]] = field(default_factory=dict)
    dropped_at: dict[int, int] = field(default_factory=dict)

    def add(self, leaf: Leaf, path_id: int) -> None:
        """Notes a path."""
        self.ids[leaf] = path_id
        self.leaves[path_id] = leaf

    def drop(self, path_id: int, version: int) -> None:
        """Retires a path that no segment holds any more, from a version of the catalog on."""
        leaf = self.leaves.get(path_id)
        if leaf is None:
            return
        self.dropped_at[path_id] = version
        # First there, then gone here: a reader finds it in one of the two.
        self.retired[path_id] = leaf
        self.retired_ids[leaf] = (*self.retired_ids.get(leaf, ()), path_id)
        if len(self.retired) > MAX_RETIRED_PATHS:
            oldest_id, oldest = self.retired.popitem(last=False)
            del self.dropped_at[oldest_id]
            left = self.retired_ids[oldest][1:]
            if left:
                self.retired_ids[oldest] = left
            else:
                del self.retired_ids[oldest]
        del self.leaves[path_id]
        del self.ids[leaf]

    def leaf(self, path_id: int) -> Leaf:
        """Returns the leaf of an id, also of a retired one."""
        leaf = self.leaves.get(path_id) or self.retired.get(path_id)
        if leaf is None:
            raise CatalogError(f"cannot read path {path_id}: the catalog has dropped it; ask again")
        return leaf

    def had(self, leaf: Leaf, version: int) -> bool:
        """Returns whether some segment had a leaf at a version of the catalog that was dropped since."""
        dropped = (self.dropped_at.get(path_id, 0) for path_id in self.retired_ids.get(leaf, ()))
        return any(at > version for at in dropped)

    def ids_of(self, leaf: Leaf) -> tuple[int, ...]:
        """Returns the ids of a leaf: the live one, and those that it had before it was dropped."""
        live = self.ids.get(leaf)
        retired = self.retired_ids.get(leaf, ())
        return retired if live is None else (live, *retired)

    def below(self, paths: Iterable[str]) -> set[int]:
        """Returns the ids of these paths and of every path below them."""
        roots = frozenset(paths)
        prefixes = tuple(f"{root}." for root in roots)
        return {
            path_id
            for (path, _), path_id in list(self.ids.items())
            if path in roots or path.startswith(prefixes)
        }


class PathTable:
    """The path ids of all tables and projects that were asked for. Thread-safe."""

    def __init__(self, load: Callable[[Owner], Iterable[tuple[int, str, str]]]) -> None:
        """Takes a function that reads (id, path text, type) of each path of a table and project."""
        self._load = load
        self._lock = threading.Lock()
        self._owned: dict[Owner, OwnedPaths] = {}

    def of(self, owner: Owner) -> OwnedPaths:
        """Returns the paths of a table and project."""
        with self._lock:
            owned = self._owned.get(owner)
            if owned is None:
                leaves = {number: (path, kind) for number, path, kind in self._load(owner)}
                ids = {leaf: number for number, leaf in leaves.items()}
                owned = self._owned[owner] = OwnedPaths(ids, leaves)
            return owned

    def newest(self, owner: Owner) -> int | None:
        """Returns the greatest id that is known of a table and project; None where none was asked for."""
        with self._lock:
            owned = self._owned.get(owner)
            if owned is None:
                return None
            return max(max(owned.leaves, default=0), max(owned.retired, default=0))

    def note(self, owner: Owner, new: Iterable[tuple[int, Leaf]]) -> None:
        """Adds paths that another process has given ids; what is not cached is loaded later anyway."""
        with self._lock:
            owned = self._owned.get(owner)
            if owned is not None:
                for number, leaf in new:
                    owned.add(leaf, number)

    def drop(self, owner: Owner, gone: Iterable[int], version: int) -> None:
        """Retires paths that another process has dropped."""
        with self._lock:
            owned = self._owned.get(owner)
            if owned is not None:
                for path_id in gone:
                    owned.drop(path_id, version)

    def forget(self, owners: Iterable[Owner] | None = None) -> None:
        """Drops what is cached, so that it is loaded again: another process may have added paths."""
        with self._lock:
            if owners is None:
                self._owned.clear()
            else:
                for owner in owners:
                    self._owned.pop(owner, None)


def leaf_of(column: str) -> Leaf:
    """Returns (path text, type) of a leaf column's name."""
    path, _, kind = column.rpartition(":")
    return path, kind


def column_of(leaf: Leaf) -> str:
    """Returns a leaf's column name."""
    return f"{leaf[0]}:{leaf[1]}"


def types_by_path(leaves: Mapping[Leaf, int]) -> dict[str, dict[str, int]]:
    """Returns rows by type by path text."""
    result: dict[str, dict[str, int]] = {}
    for (path, kind), rows in leaves.items():
        types = result.setdefault(path, {})
        types[kind] = types.get(kind, 0) + rows
    return result
