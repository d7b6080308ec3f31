"""Takes patches: late scores and labels on any span, whether it has come or not.

1. check every patch; one that is not valid refuses all of them
2. one catalog transaction                  crash before: none is there; after: all are
3. make them visible; only then does the caller answer
A patch stays in the catalog until a rewrite merges it into its row (`patch_folding`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tracestore import limits
from tracestore.errors import PatchError, StorageFullError
from tracestore.store.catalog import patch_table
from tracestore.store.catalog.nodes import change_log
from tracestore.store.core import Core
from tracestore.store.nodes.catch_up import catch_up
from tracestore.store.patches.log import Patch
from tracestore.store.patches.rules import checked
from tracestore.store.write import payloads

_MAX_ID_CHARACTERS: Final = 256
_IDS: Final = ("project", "trace_id", "span_id")


def patch(
    core: Core, patches: Mapping[str, Any] | Iterable[Mapping[str, Any]], project: str
) -> int:
    """Stores patches; on return they are durable, and every later query sees them.

    Raises PatchError (nothing was stored), StorageFullError where too many wait to be folded in.
    """
    core.require_catalog()
    given = [patches] if isinstance(patches, Mapping) else list(patches)
    return _store(core, [_values(patch, number, project) for number, patch in enumerate(given)])


def note_said(core: Core, changes: Iterable[Mapping[str, Any]]) -> int:
    """Stores what log records said of spans, as `patch` stores what a user says.

    Each change has the ids of a span, and `said`: times and messages by column.
    """
    return _store(
        core,
        [
            {
                **{name: change[name] for name in _IDS},
                "change": json.dumps({"said": change["said"]}, ensure_ascii=False),
            }
            for change in changes
        ],
    )


def _store(core: Core, values: Sequence[Mapping[str, str]]) -> int:
    """Stores patches as the catalog keeps them; returns their number."""
    if not values:
        return 0
    with core.patching, core.gate.shared():
        core.require_catalog()
        with core.lock:
            count, last_ns = core.patches.count, core.patches.last_ns
        if count + len(values) > limits.MAX_PENDING_PATCHES:
            raise StorageFullError(
                f"cannot patch spans: {count} patches wait to be folded in, at most "
                f"{limits.MAX_PENDING_PATCHES} may; compact the store, then send them again"
            )
        first_ns = max(core.clock.now_ns(), last_ns + 1)
        rows = _timed(values, first_ns)
        added = _patches(rows)
        with core.catalog.writing() as connection:
            if core.node is not None:
                # Of all nodes' patches the order is that of their transactions, whatever the clocks of hosts say.
                rows = _timed(values, patch_table.next_ns_in(connection, first_ns))
                added = _patches(rows)
            patch_table.insert_in(connection, rows)
            times = [patch.created_ns for patch in added]
            core.catalog.note_in(connection, change_log.listed(change_log.NEW_PATCHES, times))
        with core.lock:
            if core.node is None:
                core.patches.add(added)
    catch_up(core)
    return len(values)


def _timed(values: Sequence[Mapping[str, str]], first_ns: int) -> list[dict[str, Any]]:
    return [{**row, "created_ns": first_ns + number} for number, row in enumerate(values)]


def _patches(rows: Sequence[Mapping[str, Any]]) -> list[Patch]:
    return [Patch.of(**_renamed(row)) for row in rows]


def _renamed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {("text" if name == "change" else name): value for name, value in row.items()}


def _values(given: Mapping[str, Any], number: int, project: str) -> dict[str, str]:
    """Returns a patch as the catalog keeps it, without its time."""
    if not isinstance(given, Mapping):
        raise PatchError(f"cannot patch span: patch {number} is no object; want ids and changes")
    ids = {"project": given.get("project") or project}
    for name in ("trace_id", "span_id"):
        value = given.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID_CHARACTERS:
            raise PatchError(
                f"cannot patch span: patch {number} has no {name}; want the span's own, as text"
            )
        ids[name] = value.lower() if set(value.lower()) <= _HEX else value
    if not isinstance(ids["project"], str):
        raise PatchError(f"cannot patch span: patch {number} has no project's name")
    for name, value in ids.items():
        if "\0" in value or not _is_unicode(value):
            raise PatchError(f"cannot patch span: {name} of patch {number} is no text; want UTF-8")
    payloads.check_name(ids["project"], "project")
    change = {name: value for name, value in given.items() if name not in _IDS}
    return {**ids, "change": checked(change, f"patch {number}")}


_HEX: Final = frozenset("0123456789abcdef")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
