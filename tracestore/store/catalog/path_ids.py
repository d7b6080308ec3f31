"""Numbers for paths: each (path text, type) of a table and project has one id for ever.

Loaded per table and project when first needed, so that opening a store costs nothing per path.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

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
    """The paths of one table and project, by id and by leaf."""

    ids: dict[Leaf, int] = field(default_factory=dict)
    leaves: dict[int, Leaf] = field(default_factory=dict)

    def add(self, leaf: Leaf, path_id: int) -> None:
        """Notes a path."""
        self.ids[leaf] = path_id
        self.leaves[path_id] = leaf

    def drop(self, path_id: int) -> None:
        """Forgets a path that no segment holds any more."""
        leaf = self.leaves.pop(path_id, None)
        if leaf is not None:
            del self.ids[leaf]

    def below(self, paths: Iterable[str]) -> set[int]:
        """Returns the ids of these paths and of every path below them."""
        wanted = frozenset(paths)
        prefixes = tuple(f"{path}." for path in wanted)
        return {
            number
            for (path, _), number in list(self.ids.items())
            if path in wanted or path.startswith(prefixes)
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
