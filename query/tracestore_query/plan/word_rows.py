"""Which rows of its segments a scan reads for the words that each must hold: what their words sidecars say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from tracestore.store import RowNumbers, SegmentRef
from tracestore_query.plan.scan_plan import ScanPlan, TailGroup

MAX_ROWS_SHARE: Final = 1 / 4
"""Where more of a segment's rows may match, all are read: finding each of them costs what it saves."""


def with_word_rows(plan: ScanPlan) -> ScanPlan:
    """Returns a scan's plan without the segments, and the rows of segments, that cannot hold its words."""
    if not plan.scan.words:
        return plan
    word_rows: dict[str, RowNumbers] = {}
    plain = _kept(plan, plan.plain, word_rows)
    tailed = [
        replace(group, segments=segments)
        for group in plan.tailed
        if (segments := _kept(plan, group.segments, word_rows))
    ]
    return _narrowed(plan, plain, tailed, word_rows)


def _narrowed(
    plan: ScanPlan,
    plain: tuple[SegmentRef, ...],
    tailed: list[TailGroup],
    word_rows: dict[str, RowNumbers],
) -> ScanPlan:
    left = len(plain) + sum(len(group.segments) for group in tailed)
    without = len(plan.segments) - left
    return replace(
        plan,
        plain=plain,
        tailed=tuple(tailed),
        word_rows=word_rows,
        pruned=plan.pruned + without,
        without_words=without,
    )


def _kept(
    plan: ScanPlan, segments: Sequence[SegmentRef], word_rows: dict[str, RowNumbers]
) -> tuple[SegmentRef, ...]:
    """Returns the segments that may hold a row with all words, and notes the rows of those where few may."""
    kept: list[SegmentRef] = []
    for segment in segments:
        rows = segment.rows_with(plan.scan.words)
        if rows is None:
            kept.append(segment)
            continue
        patches = plan.patched.get(segment.uri)
        if patches is not None:
            # A patch may have given a row any word.
            rows = np.union1d(rows, np.asarray(patches.overlay.rows, np.int64))
        if len(segment.replaced):
            rows = np.setdiff1d(rows, segment.replaced, assume_unique=True)
        if not len(rows):
            continue
        kept.append(segment)
        if len(rows) <= segment.rows * MAX_ROWS_SHARE:
            word_rows[segment.uri] = rows
    return tuple(kept)
