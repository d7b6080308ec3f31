"""Which paths a query may read, told by its text alone: nothing else of other nodes' rows in memory is fetched for it.

What the text does not tell is noticed where it is read, and the query is planned again with everything at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlglot import exp

from tracestore.store import PATCHED_FIELDS, Paths, is_within
from tracestore.variant import TABLES
from tracestore.variant.moved import ATTRIBUTES, SOURCES
from tracestore.variant.moved import COLUMNS as MOVED_COLUMNS
from tracestore_query.language.path_syntax import Step, is_chain_end, steps_of
from tracestore_query.plan.scan import Scan
from tracestore_query.tables.table_nodes import called
from tracestore_query.tables.views import VIEWS

_FIELDS: Final = frozenset(name for spec in TABLES.values() for name in spec.variants)


class NotReadError(Exception):
    """The news that a query reads a path which its snapshot was not taken for."""


def read_paths(tree: exp.Expr) -> Paths:
    """Returns the paths whose values a query may read; None where that may be any."""
    if any(map(_reads_all, tree.walk())):
        return None
    paths: set[str] = set()
    for node in tree.walk():
        if is_chain_end(node):
            paths.update(_paths_of(node))
        elif isinstance(node, exp.Identifier) and not isinstance(node.parent, exp.Column | exp.Dot):
            # A name that stands alone, as an alias or in USING.
            paths.update(_of_steps([Step(str(node.this))]))
    return frozenset(paths)


def require_read(reads: Paths, paths: Iterable[str]) -> None:
    """Raises NotReadError where a snapshot was not taken for one of some paths."""
    if reads is not None and not all(is_within(path, reads) for path in paths):
        raise NotReadError


def paths_of_scan(scan: Scan) -> Iterator[str]:
    """Yields the paths whose values a scan reads."""
    for path, _ in (*scan.leaves, *scan.object_parts, *scan.item_lists.values()):
        yield path
    fields = scan.object_fields | scan.rebuilt_fields
    yield from fields
    if ATTRIBUTES in fields:
        # Attributes that moved are rebuilt from where they are.
        yield from MOVED_COLUMNS


def _reads_all(node: exp.Expr) -> bool:
    """Tells whether a part of a query may name paths that do not stand in it."""
    if isinstance(node, exp.Star):
        return not isinstance(node.parent, exp.Count)
    if isinstance(node, exp.Table):
        # A view and a function have a text of their own.
        return called(node) is not None or node.name.lower() in VIEWS
    return isinstance(node, exp.Columns | exp.Pivot)


def _paths_of(node: exp.Expr) -> Iterator[str]:
    steps = steps_of(node)
    if steps is not None:
        yield from _of_steps(steps)
        return
    for name in node.find_all(exp.Identifier):
        yield from _of_steps([Step(str(name.this))])


def _of_steps(steps: Sequence[Step]) -> Iterator[str]:
    for start, step in enumerate(steps):
        field = step.text.lower()
        if field not in _FIELDS:
            continue
        if field in PATCHED_FIELDS:
            # A patch is merged with the whole field.
            yield field
            continue
        keys = []
        for after in steps[start + 1 :]:
            if after.index is not None:
                break
            keys.append(after.text)
        yield ".".join([field, *keys])
        if field == ATTRIBUTES:
            yield from _moved(".".join(keys))


def _moved(name: str) -> Iterator[str]:
    """Yields the columns that an attribute may have moved to."""
    for source, column in _sources():
        if source.startswith(name) or name.startswith(source):
            yield column


def _sources() -> Iterable[tuple[str, str]]:
    return ((source.removesuffix(".*"), column) for source, column in SOURCES.items())
