"""From the steps of a query's path to the leaves that hold its values."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from tracestore.variant import format_path
from tracestore_query.language.path_syntax import Step

# Ways to cut a dotted chain into keys double with each dot: past this many the long ones are not tried.
MAX_JOINED_STEPS = 12

MAX_COMPARED = 256
MAX_LENGTH_APART = 8
"""Bounds of the search for the nearest path: about 5 ms."""


@dataclass(frozen=True, slots=True)
class Place:
    """A stored path that a query's path names: one way to cut its dots into keys, of which rows have values.

    Attributes:
        keys: the stored path's.
        leaves: (path text, leaf type) of every leaf at exactly this path.
        below: texts of stored paths under it: where there are any, the value is an object in some rows.
    """

    keys: tuple[str, ...]
    leaves: tuple[tuple[str, str], ...]
    below: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A path of a query over a table's data.

    Attributes:
        places: the stored paths that it names, up to the first array index: one column to the reader.
        inner: the steps from the first array index on.
    """

    places: tuple[Place, ...]
    inner: tuple[Step, ...]

    @property
    def leaves(self) -> tuple[tuple[str, str], ...]:
        """Returns (path text, leaf type) of every leaf at exactly this path."""
        return tuple(leaf for place in self.places for leaf in place.leaves)

    @property
    def below(self) -> tuple[str, ...]:
        """Returns the stored paths under it: where there are any, the value is an object in some rows."""
        return tuple(path for place in self.places for path in place.below)

    @property
    def absent(self) -> bool:
        """Tells whether no row has the path."""
        return not self.places


class Leaves(Protocol):
    """What is known of the leaves of a table's data."""

    def types(self, path: str) -> Sequence[str]:
        """Returns the leaf types that a path's values have."""

    def below(self, path: str) -> Sequence[str]:
        """Returns the paths under a path that have values, sorted."""

    def has_below(self, path: str) -> bool:
        """Returns whether a path under a path has values; stops at the first."""


def resolve(steps: Sequence[Step], data: Leaves) -> Resolved:
    """Returns what a path names; steps begin with the variant column."""
    outer = list(steps)
    inner: tuple[Step, ...] = ()
    for i, step in enumerate(steps):
        if step.index is not None:
            outer, inner = list(steps[:i]), tuple(steps[i:])
            break
    places = []
    for keys in _stored_readings(outer, data):
        text = format_path(keys)
        leaves = tuple((text, leaf_type) for leaf_type in data.types(text))
        below = tuple(data.below(text))
        if leaves or below:
            places.append(Place(keys, leaves, below))
    return Resolved(tuple(places), inner)


def _stored_readings(steps: Sequence[Step], data: Leaves) -> Iterator[tuple[str, ...]]:
    """Yields the readings whose beginnings are stored: the others of a long chain are never written out."""

    def cut(at: int, done: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if at == len(steps):
            yield done
            return
        if len(done) > 1 and not data.has_below(format_path(done)):
            return
        text = steps[at].text
        yield from cut(at + 1, (*done, text))
        if steps[at].exact or at == 0:
            return
        for stop in range(at + 1, len(steps)):
            if steps[stop].exact:
                return
            text += "." + steps[stop].text
            yield from cut(stop + 1, (*done, text))

    return cut(0, ())


def readings(steps: Sequence[Step]) -> Iterator[tuple[str, ...]]:
    """Yields every list of keys whose dots give the same text; the first step and exact ones stand alone."""

    def cut(at: int, done: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if at == len(steps):
            yield done
            return
        if steps[at].exact or at == 0:
            yield from cut(at + 1, (*done, steps[at].text))
            return
        text = steps[at].text
        yield from cut(at + 1, (*done, text))
        for stop in range(at + 1, min(len(steps), at + MAX_JOINED_STEPS)):
            if steps[stop].exact:
                return
            text += "." + steps[stop].text
            yield from cut(stop + 1, (*done, text))

    return cut(0, ())


def nearest_paths(steps: Sequence[Step], paths: Sequence[str]) -> list[str]:
    """Returns up to three known paths that look like a path that is absent."""
    wanted = ".".join(step.text for step in steps if step.index is None)
    # Comparing texts is slow: only paths of the same column and of like length are compared.
    column = steps[0].text
    alike = (
        path
        for path in paths
        if path.startswith(column) and abs(len(path) - len(wanted)) <= MAX_LENGTH_APART
    )
    plain = {path.replace('"', ""): path for path in islice(alike, MAX_COMPARED)}
    return [plain[name] for name in difflib.get_close_matches(wanted, list(plain), n=3, cutoff=0.7)]
