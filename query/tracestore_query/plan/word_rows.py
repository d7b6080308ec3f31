"""Which rows of its segments a scan reads for the words that each must hold: what their words sidecars say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from tracestore.store import RowNumbers, SegmentRef, WordRows
from tracestore_query.plan.scan import WordSearch
from tracestore_query.plan.scan_plan import ScanPlan, TailGroup

MAX_ROWS_SHARE: Final = 1 / 4
"""Where more of a segment's rows may match, all are read: finding each of them costs what it saves."""

MAX_EQUAL_SHARE: Final = 1 / 64
"""The same where values are compared whole: the engine compares those of a dictionary, and a row costs little."""


def with_word_rows(plan: ScanPlan) -> ScanPlan:
    """Returns a scan's plan without the segments, and the rows of segments, that cannot hold its words."""
    if not plan.scan.words:
        return plan
    word_rows: dict[str, RowNumbers] = {}
    found: set[str] = set()
    plain = _kept(plan, plan.plain, word_rows, found)
    tailed = [
        replace(group, segments=segments)
        for group in plan.tailed
        if (segments := _kept(plan, group.segments, word_rows, set()))
    ]
    return replace(_narrowed(plan, plain, tailed, word_rows), found=frozenset(found))


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
    plan: ScanPlan,
    segments: Sequence[SegmentRef],
    word_rows: dict[str, RowNumbers],
    found: set[str],
) -> tuple[SegmentRef, ...]:
    """Returns the segments that may hold a row with all words, and notes the rows of those where few may.

    Files whose rows there surely meet the scan's searches are added to `found`.
    """
    share = MAX_ROWS_SHARE if plan.scan.looks_through else MAX_EQUAL_SHARE
    kept: list[SegmentRef] = []
    for segment in segments:
        with_words = segment.rows_with(plan.scan.words)
        if with_words is None:
            kept.append(segment)
            continue
        rows = with_words.rows
        patches = plan.patched.get(segment.uri)
        if patches is not None:
            # A patch may have given a row any word.
            rows = np.union1d(rows, np.asarray(patches.overlay.rows, np.int64))
        if len(segment.replaced):
            rows = np.setdiff1d(rows, segment.replaced, assume_unique=True)
        if not len(rows):
            continue
        kept.append(segment)
        if len(rows) <= segment.rows * share:
            word_rows[segment.uri] = rows
            if patches is None and _decides(with_words, plan.scan.searches):
                found.add(segment.uri)
    return tuple(kept)


def _decides(rows: WordRows, searches: Sequence[WordSearch]) -> bool:
    """Tells whether rows of a segment with some words surely meet searches for them."""
    return bool(searches) and all(
        word in rows.exact and (search.columns is None or rows.exact[word] in search.columns)
        for search in searches
        for word in search.words
    )
