"""Top-n by time: few segments hold the first or last rows, at one end of each that is sorted by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlglot import exp

from tracestore.store import SegmentRef
from tracestore.variant import TableSpec
from tracestore_query.language.nodes import find_nodes, nodes_of
from tracestore_query.plan.pruning import Evaluate, comparisons, conjuncts, is_column_of
from tracestore_query.plan.scan import TopN
from tracestore_query.tables.names import STORED
from tracestore_query.tables.table_nodes import called, scanned_table

META: Final = "tracestore.top_n"
"""The key of a table's `TopN` in its node's meta."""

MAX_ROWS: Final = 10_000
"""Rows asked for: more are better read from whole row groups."""

MAX_PARTIAL_SEGMENTS: Final = 8
"""Segments of which only one end is read: each is a reader of its own in the engine's SQL."""

_NS_PER_US = 1000
_KEEPING_LAST = frozenset({exp.GT, exp.GTE})
_KEEPING_FIRST = frozenset({exp.LT, exp.LTE})


def note_top_n(tree: exp.Expr, evaluate: Evaluate, *, ties: bool = False) -> None:
    """Annotates a table node with its `TopN`, where ORDER BY time LIMIT n decides which rows the query reads.

    With `ties`, all rows whose time is that of the last one asked for are read.

    The SELECT must give one row for each row of the one table it reads. Its WHERE may only bound the time, from
    below where the last rows are asked for, else from above.
    """
    for select in find_nodes(tree, exp.Select):
        table = _only_table(select)
        name = scanned_table(table) if table is not None else None
        if table is None or name is None or called(table) is not None:
            continue
        top_n = _top_n(select, table, STORED[name], evaluate)
        if top_n is not None:
            table.meta[META] = replace(top_n, ties=top_n.ties or ties)


def needed_segments(segments: Sequence[SegmentRef], top_n: TopN) -> set[str]:
    """Returns the ids of the segments that can hold one of the rows; opens and fetches no file.

    Where later segments alone have as many rows as are asked for, a segment that ends before all of those can
    hold none.
    """
    rows = 0
    bound: int | None = None
    by_time = sorted(
        segments,
        key=lambda segment: -segment.min_time_ns if top_n.last else segment.max_time_ns,
    )
    for segment in by_time:
        rows += segment.counting_rows
        if rows >= top_n.rows:
            bound = segment.min_time_ns if top_n.last else segment.max_time_ns
            break
    if bound is None:
        return {segment.segment_id for segment in segments}
    # Times compare as microseconds: rows of other segments may share theirs with the last row asked for.
    first = bound - bound % _NS_PER_US
    bound = first if top_n.last else first + _NS_PER_US - 1
    return {
        segment.segment_id
        for segment in segments
        if (segment.max_time_ns >= bound if top_n.last else segment.min_time_ns <= bound)
    }


def row_ranges(segments: Sequence[SegmentRef], top_n: TopN) -> dict[str, tuple[int, int]]:
    """Returns the half-open range of the rows to read, by file, of each segment that need not be read whole."""
    if top_n.ties:
        return {}
    larger = [segment for segment in segments if segment.rows > top_n.rows and segment.is_by_time]
    if len(larger) > MAX_PARTIAL_SEGMENTS:
        return {}
    return {segment.uri: _end_of(segment, top_n) for segment in larger}


def _end_of(segment: SegmentRef, top_n: TopN) -> tuple[int, int]:
    # Some of the rows at that end may be among those that do not count.
    rows = min(top_n.rows + len(segment.replaced), segment.rows)
    return (segment.rows - rows, segment.rows) if top_n.last else (0, rows)


def _only_table(select: exp.Select) -> exp.Table | None:
    from_ = select.args.get("from_")
    table = from_.this if from_ is not None else None
    others = any(select.args.get(key) for key in _MORE_THAN_ROWS)
    if not isinstance(table, exp.Table) or others:
        return None
    return None if any(table.args.get(key) for key in ("joins", "sample", "pivots")) else table


_MORE_THAN_ROWS = (
    *("joins", "laterals", "group", "having", "qualify"),
    *("distinct", "sample", "pivots", "windows"),
)
_OF_OTHER_ROWS = (exp.AggFunc, exp.Window)


def _top_n(
    select: exp.Select, table: exp.Table, spec: TableSpec, evaluate: Evaluate
) -> TopN | None:
    order = select.args.get("order")
    rows = _rows_wanted(select)
    if order is None or rows is None or not all(map(_is_of_its_row, select.expressions)):
        return None
    alias = (table.alias or table.name).lower()
    key = order.expressions[0]
    if not isinstance(key, exp.Ordered) or not is_time(key.this, alias, spec):
        return None
    name = key.this.name.lower()
    if not key.this.table and any(_renames(each, name, alias) for each in select.expressions):
        return None
    last = bool(key.args.get("desc"))
    where = select.args.get("where")
    keeping = _KEEPING_LAST if last else _KEEPING_FIRST
    for each in conjuncts(where.this) if where is not None else ():
        if not any(
            kind in keeping
            and is_time(subject, alias, spec)
            and isinstance(evaluate(bound, subject.name.lower() == spec.time_ns_column), int)
            for subject, kind, bound in comparisons(each)
            if not isinstance(each, exp.Between)
        ):
            return None
    return TopN(rows, last, ties=len(order.expressions) > 1)


def _rows_wanted(select: exp.Select) -> int | None:
    """Returns LIMIT and OFFSET together, None where they are no plain numbers or many."""
    wanted = 0
    for clause in (select.args.get("limit"), select.args.get("offset")):
        if clause is None:
            continue
        value = clause.expression
        if any(found for key, found in clause.args.items() if key != "expression"):
            return None  # a share of the rows
        if not isinstance(value, exp.Literal) or not value.is_int:
            return None
        wanted += int(str(value.this))
    limit = select.args.get("limit")
    return wanted if isinstance(limit, exp.Limit) and 0 < wanted <= MAX_ROWS else None


def _is_of_its_row(item: exp.Expr) -> bool:
    """Returns whether an item of a select list gives one value a row, from that row alone."""
    return gives_one_row_each(item) and not any(
        isinstance(each, _OF_OTHER_ROWS) for each in nodes_of(item)
    )


def gives_one_row_each(item: exp.Expr) -> bool:
    """Tells whether an item of a select list makes no further rows of one."""
    return not any(
        isinstance(each, exp.Explode | exp.Unnest) or _is_unnest(each) for each in nodes_of(item)
    )


def _is_unnest(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and str(node.this).lower() in _GENERATORS


_GENERATORS = frozenset({"unnest", "generate_subscripts", "regexp_split_to_table"})


def is_time(node: exp.Expr, alias: str, spec: TableSpec) -> bool:
    """Tells whether a node is the time of a table's rows, in either unit."""
    if not isinstance(node, exp.Column) or node.name.lower() not in {
        spec.time_column,
        spec.time_ns_column,
    }:
        return False
    return is_column_of(node, alias, alone=True)


def _renames(item: exp.Expr, name: str, alias: str) -> bool:
    """Returns whether an item of a select list takes the name of a table's column for something else."""
    return any(
        each.alias.lower() == name
        and not (
            isinstance(each.this, exp.Column)
            and each.this.name.lower() == name
            and is_column_of(each.this, alias, alone=True)
        )
        for each in find_nodes(item, exp.Alias)
    )
