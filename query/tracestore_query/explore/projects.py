"""The projects there are, those included whose rows are in memory only."""

from __future__ import annotations

from typing import Any

from tracestore.store import NO_PATHS, Store


def known_projects(store: Store, projects: frozenset[str] | None) -> list[dict[str, Any]]:
    """Returns each project with its retention, what its segments are clustered by, and whether it has spans.

    Args:
        store: an open store.
        projects: those that the caller may see, None for all.
    """
    with store.snapshot(("spans",), projects, reads=NO_PATHS) as snapshot:
        spans = snapshot.tables["spans"]
        with_spans = {segment.project for segment in spans.segments} | spans.memory_projects
    settings = store.projects()
    cluster_by = store.cluster_by()
    names = with_spans | set(settings)
    if projects is not None:
        names &= projects
    return [
        {
            "name": name,
            "retention_days": settings.get(name),
            "cluster_by": cluster_by.get(name, ()),
            "has_spans": name in with_spans,
        }
        for name in sorted(names)
    ]
