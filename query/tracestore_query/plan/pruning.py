"""What a query's WHERE says about time and traces: what no matching row can lie outside of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tracestore.variant import TableSpec
from tracestore_query.language.constant_folding import moves
from tracestore_query.language.nodes import find_nodes
from tracestore_query.plan.scan import EVER, TimeRange
from tracestore_query.tables.names import STORED
from tracestore_query.tables.table_nodes import called, scanned_table

META = "tracestore.bounds"
"""The key of a table's bounds in its node's meta."""

MAX_TRACE_IDS = 1000
"""Traces named one by one; more are no point lookup."""

_NS_PER_US = 1000
_HEX = frozenset("0123456789abcdef")

Evaluate = Callable[[exp.Expr, bool], int | str | None]
"""Returns a constant as nanoseconds (or, if the flag says so, as the value it is), None where it is none."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of the rows of one table that can match in a SELECT.

    Attributes:
        time_range: of the rows.
        trace_ids: of the rows, None means any.
        trace_names: of the parameters that give the ids, none where something else gives one.
    """

    time_range: TimeRange = EVER
    trace_ids: frozenset[str] | None = None
    trace_names: tuple[str, ...] = ()


def note_bounds(tree: exp.Expr, evaluate: Evaluate) -> dict[str, TimeRange]:
    """Notes the bounds of every stored table at its node; returns a range that covers each table's."""
    ranges: dict[str, TimeRange] = {}
    for select in find_nodes(tree, exp.Select):
        tables = list(tables_of(select))
        where = select.args.get("where")
        # Rows of an outer join need not meet WHERE on their own side, and which rows an ASOF or a POSITIONAL
        # join pairs depends on rows that WHERE leaves out: no bounds are taken from a query that has one.
        outer = any(join.side or join.args.get("method") for join in joins_of(select))
        conditions = [] if where is None or outer else list(conjuncts(where.this))
        for table, alias in tables:
            name = scanned_table(table)
            if name is None:
                continue
            bounds = _bounds(conditions, STORED[name], alias, len(tables), evaluate)
            table.meta[META] = bounds
            low, high = bounds.time_range
            before = ranges.get(name, bounds.time_range)
            ranges[name] = (min(before[0], low), max(before[1], high))
    return ranges


def joins_of(select: exp.Select) -> Iterator[exp.Join]:
    """Yields the joins of a SELECT, those inside of others too."""
    from_ = select.args.get("from_")
    waiting = [from_.this] if from_ is not None else []
    joins = list(select.args.get("joins") or ())
    while joins or waiting:
        if waiting:
            source = waiting.pop()
            joins += source.args.get("joins") or ()
            if is_in_parentheses(source):
                waiting.append(source.this)
            continue
        join = joins.pop()
        yield join
        waiting.append(join.this)


def is_in_parentheses(source: exp.Expr) -> bool:
    """Tells whether a source of FROM is a table or a join in parentheses, and no query."""
    if not isinstance(source, exp.Subquery) or source.alias:
        return False
    inner = source.this
    if isinstance(inner, exp.Subquery):
        return bool(inner.alias or inner.args.get("joins"))
    return not isinstance(inner, exp.Query | exp.Pivot)


def tables_of(select: exp.Select) -> Iterator[tuple[exp.Table, str]]:
    """Yields the tables of a SELECT's FROM with their aliases."""
    from_ = select.args.get("from_")
    sources = [from_.this] if from_ is not None else []
    sources += [join.this for join in select.args.get("joins") or ()]
    for source in list(sources):
        sources += [join.this for join in source.args.get("joins") or ()]
    for source in sources:
        if isinstance(source, exp.Table):
            yield source, (source.alias or called(source) or source.name).lower()


def _bounds(
    conditions: list[exp.Expr], spec: TableSpec, alias: str, sources: int, evaluate: Evaluate
) -> Bounds:
    low, high = EVER
    trace_ids: frozenset[str] | None = None
    named: list[list[exp.Expr]] = []
    for condition in conditions:
        for subject, kind, bound in comparisons(condition):
            if not isinstance(subject, exp.Column):
                continue
            if not is_column_of(subject, alias, alone=sources == 1):
                continue
            name = subject.name.lower()
            if name == "trace_id" and kind is exp.EQ:
                named.append([bound])
                values = _ids([bound], evaluate)
                trace_ids = values if trace_ids is None or values is None else trace_ids & values
            elif name in {spec.time_column, spec.time_ns_column}:
                exact = name == spec.time_ns_column
                narrowed = _narrowed((low, high), kind, evaluate(bound, exact), exact=exact)
                # The engine's now comes after ours: rows of the time between are not left out.
                low, high = (narrowed[0], high) if moves(bound) else narrowed
        if (
            isinstance(condition, exp.In)
            and condition.expressions
            and isinstance(condition.this, exp.Column)
        ):
            mine = is_column_of(condition.this, alias, alone=sources == 1)
            if condition.this.name.lower() == "trace_id" and mine:
                named.append(condition.expressions)
                trace_ids = _ids(condition.expressions, evaluate)
    return Bounds((low, max(low, high)), trace_ids, _names(named))


def is_column_of(node: exp.Column, alias: str, *, alone: bool) -> bool:
    """Tells whether a chain of names is a column of a table, and no path: that has more names before the last two.

    Args:
        node: the chain.
        alias: the name of the table, in lower case.
        alone: whether a column without a table is its own.
    """
    if node.args.get("db"):
        return False
    return node.table.lower() == alias if node.table else alone


def _names(named: list[list[exp.Expr]]) -> tuple[str, ...]:
    """Returns the parameters that give all ids that conditions name, none where there are several conditions."""
    values = named[0] if len(named) == 1 else []
    names = [str(value.this) for value in values if isinstance(value, exp.Placeholder)]
    return tuple(names) if len(names) == len(values) else ()


def _narrowed(
    time_range: TimeRange, kind: type[exp.Expr], value: int | str | None, *, exact: bool
) -> TimeRange:
    low, high = time_range
    if not isinstance(value, int):
        return time_range
    # A whole microsecond of nanoseconds shares one timestamp.
    above = value + 1 if exact else value + _NS_PER_US
    if kind in {exp.GT, exp.GTE, exp.EQ}:
        low = max(low, value)
    if kind in {exp.LT, exp.LTE, exp.EQ}:
        high = min(high, above)
    return low, high


def _ids(values: list[exp.Expr], evaluate: Evaluate) -> frozenset[str] | None:
    if len(values) > MAX_TRACE_IDS:
        return None
    return trace_ids_of([evaluate(value, True) for value in values])


def trace_ids_of(values: Sequence[object]) -> frozenset[str] | None:
    """Returns values as ids of traces, None where one of them is none."""
    known = [value for value in values if isinstance(value, str) and set(value) <= _HEX]
    return frozenset(known) if len(known) == len(values) else None


_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
}


def comparisons(node: exp.Expr) -> Iterator[tuple[exp.Expr, type[exp.Expr], exp.Expr]]:
    """Yields (subject, comparison, value) of a condition, both ways round."""
    if isinstance(node, exp.Between):
        if node.args.get("symmetric"):
            # Which bound is the lower one, the engine alone says.
            return
        yield node.this, exp.GTE, node.args["low"]
        yield node.this, exp.LTE, node.args["high"]
    elif isinstance(node, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.EQ):
        yield node.this, type(node), node.expression
        yield node.expression, _FLIPPED[type(node)], node.this


def conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yields the conditions that all must hold for a condition to hold."""
    if isinstance(node, exp.And):
        yield from conjuncts(node.this)
        yield from conjuncts(node.expression)
    elif isinstance(node, exp.Paren):
        yield from conjuncts(node.this)
    else:
        yield node
