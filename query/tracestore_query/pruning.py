"""What a query's WHERE says about time: the range of nanoseconds outside of which no row can match."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from tracestore_query.tables import STORED, VIEWS

TimeRange = tuple[int, int]
"""Nanoseconds [start, stop)."""

EVER: TimeRange = (-(2**63), 2**63 - 1)
_NS_PER_US = 1000

Evaluate = Callable[[exp.Expression, bool], int | None]
"""Returns a constant as nanoseconds (or, if the flag says so, as the number it is), None where it is none."""


def time_ranges(tree: exp.Expression, evaluate: Evaluate) -> dict[str, TimeRange]:
    """Returns, by stored table, a range that covers every scan of it in the query."""
    found: dict[str, TimeRange] = {}
    seen: set[int] = set()
    for select in tree.find_all(exp.Select):
        tables = list(_tables(select))
        for table, alias in tables:
            seen.add(id(table))
            if table.name.lower() in VIEWS:
                found["spans"] = EVER
            if table.name.lower() in STORED:
                name = table.name.lower()
                own = _range_of(
                    select,
                    STORED[name].time_column,
                    STORED[name].time_ns_column,
                    alias,
                    len(tables),
                    evaluate,
                )
                before = found.get(name, own)
                found[name] = (min(before[0], own[0]), max(before[1], own[1]))
            elif isinstance(table.this, exp.Func):
                found["spans"] = EVER
    return found


def _tables(select: exp.Select) -> Iterator[tuple[exp.Table, str]]:
    from_ = select.args.get("from_")
    sources = [from_.this] if from_ is not None else []
    sources += [join.this for join in select.args.get("joins") or ()]
    for source in sources:
        if isinstance(source, exp.Table):
            yield source, source.alias_or_name.lower()


def _range_of(
    select: exp.Select,
    column: str | None,
    ns_column: str | None,
    alias: str,
    sources: int,
    evaluate: Evaluate,
) -> TimeRange:
    """Returns the range that the conjuncts of a WHERE leave for one table's time."""
    low, high = EVER
    where = select.args.get("where")
    if where is None or any(join.side for join in select.args.get("joins") or ()):
        return low, high
    for each in _conjuncts(where.this):
        if isinstance(each, exp.Between):
            bounds = [(exp.GTE, each.args["low"]), (exp.LTE, each.args["high"])]
            subject = each.this
        elif isinstance(each, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.EQ):
            subject, bounds = each.this, [(type(each), each.expression)]
            if not _is_time(subject, column, ns_column, alias, sources):
                subject, bounds = each.expression, [(_FLIPPED[type(each)], each.this)]
        else:
            continue
        if not _is_time(subject, column, ns_column, alias, sources):
            continue
        exact = subject.name.lower() == ns_column
        for kind, bound in bounds:
            value = evaluate(bound, exact)
            if value is None:
                continue
            # A whole microsecond of nanoseconds shares one timestamp.
            above = value + 1 if exact else value + _NS_PER_US
            if kind in {exp.GT, exp.GTE, exp.EQ}:
                low = max(low, value)
            if kind in {exp.LT, exp.LTE, exp.EQ}:
                high = min(high, above)
    return low, max(low, high)


_FLIPPED: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
}


def _conjuncts(node: exp.Expression) -> Iterator[exp.Expression]:
    if isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    elif isinstance(node, exp.Paren):
        yield from _conjuncts(node.this)
    else:
        yield node


def _is_time(
    node: exp.Expression, column: str | None, ns_column: str | None, alias: str, sources: int
) -> bool:
    if not isinstance(node, exp.Column) or node.name.lower() not in {column, ns_column}:
        return False
    return node.table.lower() == alias if node.table else sources == 1
