"""What a snapshot reads: other nodes send of their rows in memory what it needs, and of that what the asker has not.

Paths are keys joined by dots, however a query or a column quotes them: to compare the beginnings of such texts takes
too much at most, never too little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tracestore.errors import PathSyntaxError
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.variant import OVERFLOW, parse_leaf_name, parse_path

Paths: TypeAlias = frozenset[str] | None
"""Paths whose values are read, and what lies below them; None for all."""

NO_PATHS: Final[Paths] = frozenset()
"""No path: fixed columns alone, and what has no column of its own."""


@dataclass(frozen=True, slots=True)
class Need:
    """The rows and columns that a snapshot reads. None is all of them.

    Attributes:
        tables, projects: names.
        time_range: nanoseconds [start, stop).
        paths: beside the fixed columns.
    """

    tables: frozenset[str] | None = None
    projects: frozenset[str] | None = None
    time_range: tuple[int, int] | None = None
    paths: Paths = None

    @property
    def is_nothing(self) -> bool:
        """Returns whether no row is read at all, as of a query that names no stored table."""
        return not all(names is None or names for names in (self.tables, self.projects))

    def has(self, table: str, project: str) -> bool:
        """Returns whether rows of a table and project are read."""
        return (self.tables is None or table in self.tables) and (
            self.projects is None or project in self.projects
        )

    def told(self) -> dict[str, Any]:
        """Returns it as values of JSON."""
        return {
            "tables": _listed(self.tables),
            "projects": _listed(self.projects),
            "time_range": self.time_range,
            "paths": _listed(self.paths),
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Need:
        """Returns what values of JSON tell."""
        tables, projects, paths = (
            None if told[name] is None else frozenset(map(str, told[name]))
            for name in ("tables", "projects", "paths")
        )
        time_range = told["time_range"]
        if time_range is not None:
            start, stop = time_range
            time_range = (int(start), int(stop))
        return cls(tables, projects, time_range, paths)


EVERYTHING: Final = Need()


def both(one: Paths, other: Paths) -> Paths:
    """Returns the paths of two."""
    return None if one is None or other is None else one | other


def are_within(paths: Paths, others: Paths) -> bool:
    """Returns whether all of some paths are among others."""
    return others is None or (paths is not None and paths <= others)


def is_within(path: str, paths: Paths) -> bool:
    """Returns whether all values at a path, given as its text, and below it are read."""
    if paths is None:
        return True
    try:
        plain = _joined(parse_path(path.partition("[]")[0]))
    except PathSyntaxError:
        return False  # a key with brackets: too much is read then, not too little
    return any(plain.startswith(each) for each in paths)


def columns_of(names: Sequence[str], table: str, paths: Paths) -> list[str]:
    """Returns the columns of rows in memory that some paths need, in the order of their names."""
    if paths is None:
        return list(names)
    fixed = {*SEGMENT_TABLES[table].columns, OVERFLOW}
    return [name for name in names if name in fixed or _is_read(name, paths)]


def _is_read(column: str, paths: Iterable[str]) -> bool:
    # What lies above a path may hold it too: in a list, or as text of JSON.
    plain = _joined(parse_leaf_name(column)[0])
    return any(plain.startswith(each) or each.startswith(plain) for each in paths)


def _joined(path: Iterable[str | int]) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
