"""The patches that are in no segment yet: durable in the catalog, and in memory in the order they came.

A project's list only grows; folding patches in makes a list of what is left. So its first patches stay the same.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tracestore.store.memory.span_keys import span_keys
from tracestore.store.patches.rules import fields_of
from tracestore.variant import Keys


@dataclass(frozen=True, slots=True)
class Patch:
    """One change of one span. `created_ns` is unique in a store and names it."""

    created_ns: int
    project: str
    trace_id: str
    span_id: str
    change: Mapping[str, Any]
    fields: frozenset[str]

    @classmethod
    def of(cls, created_ns: int, project: str, trace_id: str, span_id: str, text: str) -> Patch:
        """Returns a patch with its change read from the text that is kept."""
        change = json.loads(text)
        return cls(created_ns, project, trace_id, span_id, change, fields_of(change))


class ProjectPatches:
    """The patches of one project, oldest first, each with its span's key. Thread-safe: it only grows.

    Attributes:
        patches: the patches.
        fields: those that some patch changes.
    """

    def __init__(self) -> None:
        self.patches: list[Patch] = []
        self.fields: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._keys: list[Keys] = []

    def add(self, patches: Sequence[Patch], keys: Keys) -> None:
        """Adds newer patches."""
        with self._lock:
            self._keys.append(keys)
            self.fields = self.fields.union(*(patch.fields for patch in patches))
            self.patches += patches

    def keys(self, start: int, stop: int) -> Keys:
        """Returns the keys of patches [start, stop)."""
        with self._lock:
            if len(self._keys) > 1:
                self._keys = [np.concatenate(self._keys)]
            return self._keys[0][start:stop] if self._keys else np.empty(0, np.uint64)


@dataclass(frozen=True, slots=True)
class PatchPrefix:
    """The first `count` patches of a project: what a moment saw of a list that only grows."""

    owner: ProjectPatches
    count: int

    @property
    def fields(self) -> frozenset[str]:
        """Returns the fields that some patch changes; those of newer patches may be among them."""
        return self.owner.fields

    def keys(self, start: int = 0) -> Keys:
        """Returns the keys of the patches from a position on."""
        return self.owner.keys(start, self.count)


@dataclass(frozen=True, slots=True)
class PatchView:
    """The patches of some projects as of one moment."""

    by_project: Mapping[str, PatchPrefix]

    @property
    def fields(self) -> frozenset[str]:
        """Returns the fields that some patch changes."""
        return frozenset(name for patches in self.by_project.values() for name in patches.fields)

    def is_same(self, other: PatchView) -> bool:
        """Returns whether two views show the same patches."""
        if self.by_project.keys() != other.by_project.keys():
            return False
        return all(
            patches.owner is other.by_project[project].owner
            and patches.count == other.by_project[project].count
            for project, patches in self.by_project.items()
        )


PatchesByRow = Mapping[int, tuple[Patch, ...]]
"""The patches of a table's rows by row number, oldest first."""

NO_PATCHES: Final = PatchView({})


class PatchLog:
    """The patches that are not folded in. Not thread-safe: the store locks it.

    Attributes:
        seed: of the keys of spans, drawn anew for each store that is opened.
        count: patches held.
        last_ns: the time of the newest patch that was ever held.
    """

    def __init__(self) -> None:
        self.seed = secrets.randbits(64)
        self.count = 0
        self.last_ns = 0
        self._by_project: dict[str, ProjectPatches] = {}

    def replace(self, patches: Iterable[Patch]) -> None:
        """Takes what the catalog has in place of all that was known."""
        self._by_project = {}
        self.count = self.last_ns = 0
        self.add(sorted(patches, key=lambda patch: patch.created_ns))

    def add(self, patches: Sequence[Patch]) -> None:
        """Adds patches that the catalog has taken."""
        by_project: dict[str, list[Patch]] = {}
        for patch in patches:
            by_project.setdefault(patch.project, []).append(patch)
            self.last_ns = max(self.last_ns, patch.created_ns)
        for project, members in by_project.items():
            keys = span_keys(
                pa.array([patch.trace_id for patch in members], pa.string()),
                pa.array([patch.span_id for patch in members], pa.string()),
                self.seed,
            )
            self._by_project.setdefault(project, ProjectPatches()).add(members, keys)
        self.count += len(patches)

    def restore(self, patches: Sequence[Patch]) -> None:
        """Takes back patches that were folded in, each in its place by time; those that are there stay once."""
        projects = {patch.project for patch in patches}
        before = [
            patch
            for project, owner in self._by_project.items()
            if project in projects
            for patch in owner.patches
        ]
        known = {patch.created_ns for patch in before}
        patches = [patch for patch in patches if patch.created_ns not in known]
        if not patches:
            return
        self.count -= len(before)
        for project in projects:
            self._by_project.pop(project, None)
        self.add(sorted([*before, *patches], key=lambda patch: patch.created_ns))

    def remove(self, gone: Collection[int]) -> None:
        """Drops patches by their times: they are folded in, or their spans are gone for good."""
        if not gone:
            return
        gone = set(gone)
        for project, owner in list(self._by_project.items()):
            count = len(owner.patches)
            left = [at for at, patch in enumerate(owner.patches) if patch.created_ns not in gone]
            if len(left) == count:
                continue
            self.count -= count - len(left)
            rest = ProjectPatches()
            rest.add([owner.patches[at] for at in left], owner.keys(0, count)[left])
            self._by_project[project] = rest
            if not left:
                del self._by_project[project]

    def view(self, projects: Collection[str] | None) -> PatchView:
        """Returns the patches of projects (None for all) as of now."""
        return PatchView(
            {
                project: PatchPrefix(owner, len(owner.patches))
                for project, owner in self._by_project.items()
                if projects is None or project in projects
            }
        )

    def of_project(self, project: str) -> PatchPrefix | None:
        """Returns one project's patches as of now, None where it has none."""
        owner = self._by_project.get(project)
        return None if owner is None else PatchPrefix(owner, len(owner.patches))

    def all(self) -> list[Patch]:
        """Returns every patch, oldest first in each project."""
        return [patch for owner in self._by_project.values() for patch in owner.patches]
