"""Groups and windows of the engine's plan as Spark SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.spark.calls import Typed
from tracestore_query.spark.expressions import Expressions, name_of
from tracestore_query.spark.functions.aggregates import AGGREGATES, Aggregate
from tracestore_query.spark.names import column
from tracestore_query.spark.ordering import keys, order_text
from tracestore_query.spark.relations import ID, Context, Relation, items
from tracestore_query.spark.types import EngineType, read_type

_BIGINT: Final = EngineType("BIGINT")
_UNORDERED: Final = "ORDER BY 0"
_RANKS: Final = {
    "WINDOW_ROW_NUMBER": "CAST(row_number() OVER {over} AS BIGINT)",
    "WINDOW_RANK": "CAST(rank() OVER {over} AS BIGINT)",
    "WINDOW_RANK_DENSE": "CAST(dense_rank() OVER {over} AS BIGINT)",
    "WINDOW_DENSE_RANK": "CAST(dense_rank() OVER {over} AS BIGINT)",
    "WINDOW_PERCENT_RANK": "percent_rank() OVER {over}",
    "WINDOW_CUME_DIST": "cume_dist() OVER {over}",
}
_BOUNDS: Final = {
    "UNBOUNDED_PRECEDING": "UNBOUNDED PRECEDING",
    "UNBOUNDED_FOLLOWING": "UNBOUNDED FOLLOWING",
    "CURRENT_ROW_RANGE": "CURRENT ROW",
    "CURRENT_ROW_ROWS": "CURRENT ROW",
    "EXPR_PRECEDING_ROWS": "{n} PRECEDING",
    "EXPR_FOLLOWING_ROWS": "{n} FOLLOWING",
    "EXPR_PRECEDING_RANGE": "{n} PRECEDING",
    "EXPR_FOLLOWING_RANGE": "{n} FOLLOWING",
}


def aggregated(node: Any, below: Relation, context: Context) -> Relation:
    """Returns a row for each group."""
    expressions = context.expressions(below.columns())
    groups = [expressions.typed(each) for each in node.get("groups", ())]
    names = [f"g{at}" for at in range(len(groups))]
    made = [aggregate(each, expressions) for each in node.get("expressions", ())]
    texts = [*names, *(each.sql for each in made)]
    kinds = [*(each.type for each in groups), *(each.type for each in made)]
    source = f"SELECT *{_named_keys(groups, names)} FROM ({below.sql})"
    parts = []
    for sets in _grouping_sets(node, len(names)):
        bits = [
            " + ".join(
                f"CAST({_bit(names[place], place, sets)} AS BIGINT) * {2**power}L"
                for power, place in enumerate(reversed(places))
            )
            for places in node.get("grouping_functions", ())
        ]
        keys_of = names if sets else [f"CAST(NULL AS {kind.spark})" for kind in kinds[: len(names)]]
        listed = items([*keys_of, *texts[len(names) :], *bits]) or "1 AS c0"
        parts.append(f"SELECT {listed} FROM ({source}){_group_by(names, sets)}")
    kinds += [_BIGINT] * len(node.get("grouping_functions", ()))
    return Relation(" UNION ALL ".join(parts), tuple(kinds))


def _named_keys(groups: Sequence[Typed], names: Sequence[str]) -> str:
    return "".join(f", {group.sql} AS {name}" for group, name in zip(groups, names, strict=True))


def _grouping_sets(node: Any, count: int) -> list[list[list[int]]]:
    """Returns the sets of keys that are grouped by together; that of no key is alone: it has a row of no rows, too."""
    sets = [sorted(each) for each in node.get("grouping_sets") or [range(count)]]
    some = [each for each in sets if each]
    return [*([some] if some else []), *([] for each in sets if not each)]


def _bit(name: str, place: int, sets: Sequence[Sequence[int]]) -> str:
    if len(sets) > 1:
        return f"grouping({name})"
    return "0" if sets and place in sets[0] else "1"


def _group_by(names: Sequence[str], sets: Sequence[Sequence[int]]) -> str:
    listed = [", ".join(names[place] for place in each) for each in sets]
    if len(sets) > 1:
        return f" GROUP BY GROUPING SETS ({', '.join(f'({each})' for each in listed)})"
    return f" GROUP BY {listed[0]}" if listed else ""


def aggregate(node: Any, expressions: Expressions, over: str = "") -> Typed:
    """Returns a call of an aggregate."""
    name = name_of(node)
    build = AGGREGATES.get(name)
    if build is None:
        raise SparkRefusedError.of(f"function {name}", "use an exact aggregate")
    kind = read_type(node["return_type"])
    orders = (node.get("order_bys") or {}).get("orders") or node.get("arg_orders") or ()
    # Groups have one word for it, windows another.
    where = node.get("filter") or node.get("filters")
    call = Aggregate(
        name,
        [expressions.typed(each) for each in node.get("children", ())],
        kind,
        is_distinct=node.get("aggregate_type") == "DISTINCT" or bool(node.get("distinct")),
        where=expressions.text(where) if where else "",
        orders=keys(orders, expressions),
        over=over,
        data=node.get("function_data"),
    )
    if over and call.is_distinct:
        raise call.refused("with DISTINCT over a window", "group first")
    return Typed(build(call), kind)


def windowed(node: Any, below: Relation, context: Context) -> Relation:
    """Returns the rows of a relation with values over windows behind their own."""
    expressions = context.expressions(below.columns())
    names = [column(at) for at in range(len(below.types))]
    if context.wants_id and _is_numbering(node):
        return Relation(
            f"SELECT {items([*names, ID if below.has_id else _number_of(names)])} FROM ({below.sql})",
            (*below.types, _BIGINT),
        )
    made = [_window(each, expressions) for each in node["expressions"]]
    sql = f"SELECT {items([*names, *(each.sql for each in made)])} FROM ({below.sql})"
    return Relation(sql, (*below.types, *(each.type for each in made)))


def _is_numbering(node: Any) -> bool:
    """Tells whether rows are numbered in no order: only to tell them apart."""
    [first, *others] = node["expressions"]
    return not others and first["type"] == "WINDOW_ROW_NUMBER" and not first.get("orders")


def _number_of(names: Sequence[str]) -> str:
    # Rows that are read twice must have the same numbers. Those that are alike in all columns may change places.
    return f"row_number() OVER (ORDER BY {', '.join(names)})"


def _window(node: Any, expressions: Expressions) -> Typed:
    kind = read_type(node["return_type"])
    name = str(node["type"])
    if node.get("exclude_clause", "NO_OTHER") != "NO_OTHER":
        raise SparkRefusedError.of("EXCLUDE of a window", "bound the window")
    if node.get("arg_orders") and name != "WINDOW_AGGREGATE":
        word = name.removeprefix("WINDOW_").replace("_", " ")
        raise SparkRefusedError.of(f"ORDER BY inside of {word}", "order the window")
    bare = _over(node, expressions, framed=False)
    if name in _RANKS:
        return Typed(_RANKS[name].format(over=bare), kind)
    if name == "WINDOW_AGGREGATE":
        return aggregate(node, expressions, f" OVER {_over(node, expressions, framed=True)}")
    values = [expressions.text(each) for each in node.get("children", ())]
    nulls = " IGNORE NULLS" if node.get("ignore_nulls") else ""
    if name in {"WINDOW_LEAD", "WINDOW_LAG"}:
        word = name.removeprefix("WINDOW_").lower()
        if any(not expressions.typed(each).is_constant for each in node["children"][1:2]):
            raise SparkRefusedError.of(f"{word} by a number of a row", "give a constant")
        given = [values[0], *(f"CAST({each} AS INT)" for each in values[1:2]), *values[2:]]
        return Typed(f"{word}({', '.join(given)}){nulls} OVER {bare}", kind)
    framed = _over(node, expressions, framed=True)
    if name == "WINDOW_NTILE":
        return Typed(f"CAST(ntile(CAST({values[0]} AS INT)) OVER {bare} AS BIGINT)", kind)
    if name in {"WINDOW_FIRST_VALUE", "WINDOW_LAST_VALUE", "WINDOW_NTH_VALUE"}:
        return Typed(
            f"{name.removeprefix('WINDOW_').lower()}({', '.join(values)}){nulls} OVER {framed}",
            kind,
        )
    raise SparkRefusedError.of(f"window function {name.removeprefix('WINDOW_')}", "use a join")


def _over(node: Any, expressions: Expressions, *, framed: bool) -> str:
    parts = []
    partitions = [expressions.text(each) for each in node.get("partitions", ())]
    if partitions:
        parts.append(f"PARTITION BY {', '.join(partitions)}")
    orders = node.get("orders") or ()
    if orders:
        parts.append(f"ORDER BY {order_text(orders, expressions)}")
    elif not framed:
        # A rank needs an order; of rows that are all alike any is right.
        parts.append(_UNORDERED)
    if framed:
        parts.append(_frame(node, expressions, ordered=bool(orders)))
    return f"({' '.join(part for part in parts if part)})"


def _frame(node: Any, expressions: Expressions, *, ordered: bool) -> str:
    start, end = str(node.get("start", "")), str(node.get("end", ""))
    if not ordered and "ROWS" not in start + end:
        return ""
    bounds = []
    for bound, given in ((start, node.get("start_expr")), (end, node.get("end_expr"))):
        if bound not in _BOUNDS:
            raise SparkRefusedError.of(f"the bound {bound} of a window", "count rows")
        count = expressions.typed(given) if given else None
        if count is not None and not count.is_constant:
            raise SparkRefusedError.of("a bound of a window from a row", "give a constant")
        shown = (
            str(count.constant)
            if count and isinstance(count.constant, int)
            else count.sql
            if count
            else ""
        )
        bounds.append(_BOUNDS[bound].format(n=shown))
    unit = "ROWS" if "ROWS" in start + end else "RANGE"
    if unit == "RANGE" and "EXPR" in start + end:
        raise SparkRefusedError.of("RANGE between values of a window", "count rows")
    return f"{unit} BETWEEN {bounds[0]} AND {bounds[1]}"
