"""Expires rows by project: whole UTC days, counted by the rows' own time."""

from __future__ import annotations

from typing import Final

from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog import patch_table
from tracestore.store.catalog.changes import Change
from tracestore.store.core import Core
from tracestore.store.files import filenames
from tracestore.store.nodes.commits import commit
from tracestore.store.rewrite import deletes, patch_folding
from tracestore.store.rewrite.deletes import remove_matching
from tracestore.store.rewrite.predicate import Predicate
from tracestore.store.rewrite.rewrite import DamagedInputError

EVER: Final = -(2**63)


def set_days(core: Core, project: str, days: int | None) -> None:
    """Sets after how many days the rows of a project expire; None keeps them."""
    core.require_catalog()
    if days is not None and days < 1:
        raise ValueError(f"cannot set retention: unexpected days; got {days}; want 1 or more")
    core.catalog.set_retention(project, days, core.clock.now_ns())


def expire(core: Core) -> int:
    """Removes rows of days older than their project's retention; returns how many rows went.

    The cut lies at a day's start, so that segments, which hold one day, go whole; those that hold
    scattered days are rewritten. Rows in memory are expired after their flush. Rows of datasets stay:
    they were chosen to be kept.
    """
    core.require_writable()
    expired = 0
    today = filenames.day_of(core.clock.now_ns())
    with core.maintenance:
        for project, days in core.catalog.projects().items():
            if days is not None:
                expired += _expire_project(core, project, (today - days) * filenames.NS_PER_DAY)
    return expired


def _expire_project(core: Core, project: str, cutoff_ns: int) -> int:
    with core.lock:
        groups = [
            core.index.groups(table, [project]).get(project)
            for table, spec in SEGMENT_TABLES.items()
            if spec.expires
        ]
        replaced = core.replaced.all
    old = (EVER, cutoff_ns)
    rows = [row for group in groups if group is not None for row in group.in_range(old)]
    whole = [row for row in rows if row.max_time_ns < cutoff_ns]
    if whole:
        deletes.drop_whole(core, whole)
    expired = sum(row.rows - len(replaced.get(row.segment_id, ())) for row in whole)
    for row in rows:
        if row.min_time_ns < cutoff_ns <= row.max_time_ns:
            column = SEGMENT_TABLES[row.table].time_ns_column
            past = Predicate((row.table,), project, ((column, "<", cutoff_ns),))
            try:
                expired += remove_matching(core, row, past)
            except DamagedInputError as error:
                core.quarantine(error.row, str(error.cause))
    with core.catalog.writing() as connection:
        patch_table.forget_project_in(connection, project, cutoff_ns)
    gone = patch_folding.before(core, project, cutoff_ns)
    if gone:
        # Their spans never came, or went with the days above.
        change = Change(now_ns=core.clock.now_ns(), dropped=gone)
        commit(core, lambda: change, lambda _: core.patches.remove(gone))
    return expired
