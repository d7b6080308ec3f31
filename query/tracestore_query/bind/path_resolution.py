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
class Resolved:
    """A path of a query over a table's data.

    Attributes:
        keys: the path as written, up to the first array index.
        leaves: (path text, leaf type) of every leaf at exactly this path.
        below: texts of stored paths under it: where there are any, the value is an object in some rows.
        inner: the steps from the first array index on.
    """

    keys: tuple[str, ...]
    leaves: tuple[tuple[str, str], ...]
    below: tuple[str, ...]
    inner: tuple[Step, ...]

    @property
    def absent(self) -> bool:
        """Tells whether no row has the path."""
        return not self.leaves and not self.below


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
    leaves: list[tuple[str, str]] = []
    below: list[str] = []
    for keys in _stored_readings(outer, data):
        text = format_path(keys)
        leaves += [(text, leaf_type) for leaf_type in data.types(text)]
        below += data.below(text)
    return Resolved(
        tuple(step.text for step in outer), tuple(leaves), tuple(dict.fromkeys(below)), inner
    )


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
