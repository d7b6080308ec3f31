"""From a TraceQL text to its tree, within bounds."""

from __future__ import annotations

from typing import Any, Final

from tracestore_query.doors.traceql import tree
from tracestore_query.doors.traceql.conditions import INTRINSICS
from tracestore_query.doors.traceql.quoting import key_of
from tracestore_query.errors import QuerySyntaxError

MAX_CHARACTERS: Final = 10_000
"""Characters of a text: a thousand conditions, more than any page of Grafana writes."""

MAX_SPANSETS: Final = 32
"""Sets of spans of a text: each is a scan."""

MAX_HEIGHT: Final = 60
"""Levels of a tree: each is a level of the SQL, which has bounds of its own."""


def parse_traceql(text: str) -> tree.Pipeline:
    """Returns the tree of a text; an empty one asks for every span.

    Raises:
        QuerySyntaxError: where it is not TraceQL, or of what is not answered here; it shows the place.
    """
    # The library and its tables take as long to load as an engine process takes to start.
    from tracestore_query.doors.traceql.grammar import tree_of  # noqa: PLC0415

    if len(text) > MAX_CHARACTERS:
        raise QuerySyntaxError(
            f"cannot read TraceQL: it has more than {MAX_CHARACTERS} characters; ask for less at once"
        )
    if not text.strip():
        return tree.Pipeline(tree.Spanset(None))
    pipeline = tree_of(text)
    _check_bounds(pipeline)
    return pipeline


def parse_field(text: str) -> tree.Field:
    """Returns the field that a name says; one without a scope that is no intrinsic is an attribute of any scope."""
    scope, dot, key = text.partition(".")
    if dot and scope in {"", "span", "resource", "event", "link", "instrumentation"}:
        return tree.Field(scope or "any", key_of(key), text)
    is_intrinsic = text in INTRINSICS
    return tree.Field(tree.INTRINSIC if is_intrinsic else "any", text, text)


def _check_bounds(pipeline: tree.Pipeline) -> None:
    """Refuses a tree that is too much to be recursed over; does not recurse itself.

    Raises:
        QuerySyntaxError: where it is.
    """
    if _count(pipeline.spans) > MAX_SPANSETS:
        raise QuerySyntaxError(
            f"cannot read TraceQL: it has more than {MAX_SPANSETS} sets of spans; ask for less at once"
        )
    waiting: list[tuple[Any, int]] = [(pipeline.spans, 0), *((each, 0) for each in pipeline.stages)]
    while waiting:
        node, height = waiting.pop()
        if height > MAX_HEIGHT:
            raise QuerySyntaxError(
                f"cannot read TraceQL: it is nested more than {MAX_HEIGHT} deep; ask for less at once"
            )
        waiting += [(each, height + 1) for each in _parts(node)]


def _parts(node: Any) -> tuple[Any, ...]:
    if isinstance(node, tree.Spanset | tree.Compared):
        return (node.condition,)
    if isinstance(node, tree.Threshold | tree.Metric):
        return (node.of,)
    if isinstance(node, tree.Negated):
        return (node.operand,)
    if isinstance(node, tree.Joined):
        return node.parts
    if isinstance(node, tree.Comparison | tree.Arithmetic | tree.Related):
        return (node.left, node.right)
    return ()


def _count(spans: tree.Spans) -> int:
    """Returns how many sets of spans a text has."""
    waiting, count = [spans], 0
    while waiting:
        each = waiting.pop()
        count += 1
        if isinstance(each, tree.Related):
            waiting += [each.left, each.right]
    return (count + 1) // 2
