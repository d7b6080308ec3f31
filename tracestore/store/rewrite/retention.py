"""Expires rows by project: whole UTC days, counted by the rows' own time."""

from __future__ import annotations

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


def set_days(core: Core, project: str, days: int | None) -> None:
    """Sets after how many days the rows of a project expire; None keeps them."""
    core.require_writable()
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
        rows = [
            row
            for row in core.index.rows()
            if row.project == project and SEGMENT_TABLES[row.table].expires
        ]
        replaced = core.replaced.all
    whole = [row for row in rows if row.max_time_ns < cutoff_ns]
    if whole:
        deletes.drop_whole(core, whole)
    expired = sum(row.rows - len(replaced.get(row.segment_id, ())) for row in whole)
    for row in rows:
        if row.min_time_ns < cutoff_ns <= row.max_time_ns:
            column = SEGMENT_TABLES[row.table].time_ns_column
            old = Predicate((row.table,), project, ((column, "<", cutoff_ns),))
            try:
                expired += remove_matching(core, row, old)
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
