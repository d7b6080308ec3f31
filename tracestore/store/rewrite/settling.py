"""Makes every segment mean by itself what the store says of it: no row that does not count, no patch that waits.

Programs that read files and know nothing of marks and patches then see what a query here sees.
"""

from __future__ import annotations

from typing import Final

from tracestore.errors import StoreFailedError
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.files import filenames
from tracestore.store.rewrite.patch_folding import next_fold
from tracestore.store.rewrite.replaced_folding import next_to_drop
from tracestore.store.rewrite.rewrite import DamagedInputError, rewrite
from tracestore.store.write import flush

MAX_ROUNDS: Final = 4
"""Times that a flush may bring new marks while others are dropped; the last time no other flush may run."""


def settled_segments(core: Core) -> list[SegmentRow]:
    """Returns the live segments as of one moment, none of them with marked rows or rows of several days.

    Every row that was acknowledged before is in one of them, patches that came before are folded in. A patch of a span
    that is stored twice waits until the copies are one. The caller holds `core.maintenance`.
    """
    for _ in range(MAX_ROUNDS - 1):
        flush.flush(core)
        _settle(core)
        rows = _unmarked(core)
        if rows is not None:
            return rows
    with core.flushing:
        flush.flush(core)
        _settle(core)
        rows = _unmarked(core)
    if rows is None and core.node is not None:
        raise StoreFailedError(
            "cannot settle segments: other nodes flush versions of spans all the time; try again"
        )
    if rows is None:
        raise AssertionError("BUG: nothing but a flush marks rows of segments for good")
    return rows


def _settle(core: Core) -> None:
    while True:
        inputs = next_to_drop(core, full=True) or next_fold(core, full=True)
        if inputs:
            _rewrite(core, inputs)
            continue
        scattered = _next_scattered(core)
        if not scattered:
            return
        _rewrite(core, scattered, by_day=True)


def _rewrite(core: Core, inputs: list[SegmentRow], *, by_day: bool = False) -> None:
    try:
        rewrite(core, inputs, by_day=by_day)
    except DamagedInputError as error:
        core.quarantine(error.row, str(error.cause))


def _next_scattered(core: Core) -> list[SegmentRow]:
    with core.lock:
        days = core.index.days()
    for _, day in days:
        if filenames.day_of(day.min_ns) != filenames.day_of(day.max_ns):
            scattered = (
                [row]
                for row in day.each()
                if filenames.day_of(row.min_time_ns) != filenames.day_of(row.max_time_ns)
            )
            return next(scattered)
    return []


def _unmarked(core: Core) -> list[SegmentRow] | None:
    """Returns the live segments, None where the catalog knows rows of one that do not count."""
    with core.lock:
        if any(core.index.get(segment_id) is not None for segment_id in core.replaced.settled):
            return None
        return list(core.index.rows())
