"""Brings an open store up to what other nodes have changed in the catalog.

Segments, rows that do not count, patches and paths of one version become visible in one moment, together with what
they mean for rows in memory: a span that came to two nodes counts once from then on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tracestore.store.catalog import patch_table
from tracestore.store.catalog.nodes import change_log, node_table
from tracestore.store.catalog.nodes.change_log import Since
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core, Fault
from tracestore.store.memory.node_state import NodeState
from tracestore.store.nodes.foreign_rows import ForeignRows
from tracestore.store.patches.log import Patch
from tracestore.store.segments.replaced_rows import RowNumbers


def catch_up(core: Core) -> None:
    """Brings a node's store up to the newest version of the catalog; does nothing where there is one writer."""
    node = core.node
    if node is None:
        return
    with node.following:
        core.require_open()
        if core.catalog.version() == core.version:
            return
        since = core.catalog.since(core.version)
        if since is None:
            _read_again(core)
        else:
            _follow(core, since)


def _follow(core: Core, since: Since) -> None:
    by_kind: dict[str, list[Any]] = {}
    for kind, what in since.entries:
        by_kind.setdefault(kind, []).append(what)
    for owner, new in since.paths.items():
        core.catalog.paths.note(owner, new)
    gone = set(by_kind.get(change_log.REMOVED, ()))
    rows = {row.segment_id: row for row in since.rows if row.fault is None}
    with core.lock:
        vanished = [row for name in gone if (row := core.index.get(name)) is not None]
        new_rows = [row for row in rows.values() if not core.index.has(row)]
    flushed = set(by_kind.get(change_log.FLUSHED, ()))
    # Of a flush that was merged before it was seen, the rows are in what was made of it.
    is_merged = not flushed <= rows.keys()
    written = set(by_kind.get(change_log.WRITTEN, ()))
    foreign = [
        row
        for row in new_rows
        if row.segment_id in flushed or (is_merged and row.segment_id in written)
    ]

    def take() -> None:
        _take_marks(core, since.marks)
        core.patches.remove(
            [ns for each in by_kind.get(change_log.GONE_PATCHES, ()) for ns in each]
        )
        _add_patches(core, [Patch.of(*values) for values in since.patches])

    moment = (since.version, since.path_bound)
    _apply(core, moment, new_rows, vanished, foreign, since.replaced, take)
    core.recent.note_rewritten([row.segment_id for row in vanished], written)
    for table, project, ids in by_kind.get(change_log.GONE_PATHS, ()):
        core.catalog.paths.drop((table, project), ids, since.version)
    if change_log.NODES in by_kind:
        _forget_nodes(core)
    if change_log.DELETED in by_kind:
        with core.lock:
            known = [row.segment_id for row in core.index.rows()]
        core.recent.forget_all(known)
        _node(core).may_have_missed = True


def _read_again(core: Core) -> None:
    """Reads the whole catalog: the node was away for longer than others remember what they changed."""
    while True:
        loaded = core.catalog.load()
        with core.catalog.transaction() as connection:
            patches = [Patch.of(*values) for values in patch_table.read_in(connection)]
            marks = node_table.marks_in(connection)
        if core.catalog.version() == loaded.version:
            break
    rows = {row.segment_id: row for group in loaded.live for row in group.rows()}
    with core.lock:
        vanished = [row for row in core.index.rows() if row.segment_id not in rows]
        known = {row.segment_id for row in core.index.rows()}
    new_rows = [row for name, row in rows.items() if name not in known]
    core.catalog.paths.forget()

    def take() -> None:
        _take_marks(core, marks)
        waiting = {patch.created_ns for patch in patches}
        known = [patch.created_ns for patch in core.patches.all()]
        core.patches.remove([ns for ns in known if ns not in waiting])
        _add_patches(core, patches)

    moment = (loaded.version, loaded.path_bound)
    _apply(core, moment, new_rows, vanished, new_rows, loaded.replaced, take)
    core.recent.forget_all(rows)
    _node(core).may_have_missed = True
    _forget_nodes(core)


def _take_marks(core: Core, marks: Mapping[str, int]) -> None:
    """Takes the marks of all logs. The store's lock is held.

    Rows of this node before its own mark are in segments: where the answer of that commit was lost, they are in memory
    as well, and are dropped.
    """
    node = _node(core)
    node.marks = marks
    own = marks.get(node.name.node_id, 0)
    left = [each for each in core.frozen if each.next_sequence > own]
    if len(left) < len(core.frozen):
        core.frozen[:] = left
        core.flush_error = None
        core.changed.notify_all()


def _forget_nodes(core: Core) -> None:
    """Has the list of nodes read again, and those asked that did not answer before."""
    node = _node(core)
    node.nodes = None
    node.silent_until_s.clear()


def _node(core: Core) -> NodeState:
    if core.node is None:
        raise AssertionError("BUG: one writer follows nobody")
    return core.node


def _apply(
    core: Core,
    moment: tuple[int, int],
    new_rows: Sequence[SegmentRow],
    vanished: Sequence[SegmentRow],
    foreign: Sequence[SegmentRow],
    replaced: Mapping[str, RowNumbers],
    take: Callable[[], None],
) -> None:
    """Makes a version visible, given with its bound of ids of paths. The caller holds `following`."""
    gone = [row.segment_id for row in vanished]
    rows = ForeignRows(core, vanished, new_rows, foreign, replaced)
    with core.gate.exclusive() if rows.may_matter else contextlib.nullcontext():
        rows.decide()
        with core.lock:
            core.index.apply(new_rows, vanished)
            core.replaced.drop(gone)
            core.replaced.settle(replaced)
            rows.apply()
            take()
            core.version, core.path_bound = moment
            core.faults = [fault for fault in core.faults if not _is_of(fault, new_rows)]
    core.forget_segments(gone)
    for project, spans in rows.spans_of_segments():
        core.restore_patches(project, spans)


def _is_of(fault: Fault, rows: Iterable[SegmentRow]) -> bool:
    return any(fault.path == row.file_key for row in rows)


def _add_patches(core: Core, patches: Sequence[Patch]) -> None:
    """Adds patches, each in its place by time. The caller holds the store's lock."""
    newest = core.patches.last_ns
    late = [patch for patch in patches if patch.created_ns <= newest]
    core.patches.add([patch for patch in patches if patch.created_ns > newest])
    core.patches.restore(late)
