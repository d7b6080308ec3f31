"""Searches that a words sidecar may decide alone: their rows are known, and their texts need not be read.

Such a search stands in WHERE as `(__is_found OR search)`. Where a segment's rows are known to meet all searches of its
scan, the scan gives these rows with `__is_found`, and NULL for the columns that nothing else reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from tracestore_query.bind.scan_builder import ScanBuilder
from tracestore_query.plan.scan import EXACT, WordSearch

_META: Final = "tracestore.word_search"
"""The key of a search in its node's meta: the token of its scan, and the alias that this has."""


def note_search(call: exp.Expr, scan: ScanBuilder, alias: str, search: WordSearch) -> None:
    """Notes a condition that all of WHERE hangs on."""
    scan.searches.append(search)
    call.meta[_META] = (scan.token, alias)


def pass_on(call: exp.Expr, bound: exp.Expr) -> None:
    """Passes what is noted of a call on to what it became."""
    if _META in call.meta:
        bound.meta[_META] = call.meta[_META]


def put_searches(tree: exp.Expr, scans: Mapping[str, ScanBuilder]) -> None:
    """Writes the noted searches of a bound tree, and tells their scans what nothing else reads."""
    by_scan: dict[str, list[exp.Expr]] = {}
    for node in tree.walk():
        if _META in node.meta:
            by_scan.setdefault(node.meta[_META][0], []).append(node)
    for token, scan in scans.items():
        nodes = by_scan.get(token, [])
        if len(nodes) != len(scan.searches):
            # One of them is gone, or stands in the tree twice: each row is looked through.
            scan.searches = []
            continue
        within = {id(column): column for node in nodes for column in node.find_all(exp.Column)}
        outside = {column.name for column in tree.find_all(exp.Column) if id(column) not in within}
        inside = {column.name for column in within.values()}
        scan.searched = tuple(sorted(inside - outside))
        for node in nodes:
            _, alias = node.meta.pop(_META)
            is_found = exp.column(EXACT, table=alias, quoted=True)
            both = exp.Or(this=is_found, expression=node.copy())
            node.replace(exp.paren(both, copy=False))
