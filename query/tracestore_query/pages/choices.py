"""Choices that a query leaves to the engine, made one way: which of the rows that tie come first, or count.

Each page asks the query anew. Where a window, a LIMIT or DISTINCT ON inside takes one of several rows that tie, two
pages might see two different answers. Such an order is made total: by columns that tell the rows apart.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from tracestore_query.errors import QueryCursorError
from tracestore_query.pages.moments import function_name
from tracestore_query.pages.source_columns import item_count, source_columns

FREE: Final = frozenset(
    """count count_if countif count_star min max bool_and bool_or bit_and bit_or bit_xor bitstring_agg
    approx_count_distinct median quantile quantile_cont quantile_disc mad histogram histogram_exact
    regr_count logical_and logical_or""".split()  # noqa: SIM905 - read as a list
)
"""Aggregates that give the same of rows in any order."""

ORDERED: Final = frozenset(
    """any_value approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last arg_min
    arg_min_null arg_min_nulls_last argmax argmin array_agg avg corr covar_pop covar_samp entropy favg first
    fsum group_concat kahan_sum kurtosis kurtosis_pop last list listagg lttb max_by mean min_by mode product
    regr_avgx regr_avgy regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy sem skewness stddev
    stddev_pop stddev_samp string_agg sum sum_no_overflow sumkahan var_pop var_samp variance
    """.split()  # noqa: SIM905 - read as a list
)
"""Aggregates that may give another value of rows in another order, be it in the last digit of a sum."""

UNORDERED: Final = frozenset(
    """json_group_array json_group_object json_group_structure variant_group_object geomean geometric_mean wavg
    weighted_avg""".split()  # noqa: SIM905 - read as a list
)
"""Aggregates of that kind that take no ORDER BY: the engine writes them out."""

_RANKS: Final = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})
_PLACES: Final = frozenset({"row_number", "ntile", "lag", "lead", "first_value"})
_ENDS: Final = frozenset({"last_value", "nth_value"})


def settle_choices(tree: exp.Expr, root: exp.Query) -> None:
    """Makes the orders inside a query total, which decide about rows.

    Args:
        tree: changed in place.
        root: the query whose ORDER BY and LIMIT are those of the pages.

    Raises:
        QueryCursorError: naming a choice that cannot be made one way.
    """
    for select in list(tree.find_all(exp.Select)):
        for window in _windows(select):
            _settle_window(select, window)
        distinct = select.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            _order_by(select, _told_apart(select, "DISTINCT ON"))
    for query in list(tree.find_all(exp.Query)):
        if query is not root and (query.args.get("limit") or query.args.get("offset")):
            _order_by(query, _told_apart(query, "LIMIT of a subquery"))


def settle_aggregates(tree: exp.Expr) -> None:
    """Has each aggregate read its rows in one order: of its arguments, beside the order it has.

    Args:
        tree: a query whose names are resolved; changed in place.

    Raises:
        QueryCursorError: naming an aggregate that takes no order.
    """
    for node in list(tree.find_all(exp.Func)):
        name = aggregate_name(node)
        if name in UNORDERED:
            raise QueryCursorError(
                f"cannot page query: {name}() depends on the order in which rows are read"
            )
        if name in ORDERED and node.find_ancestor(exp.Pivot) is None:
            if isinstance(node.parent, exp.WithinGroup) or (name in _OF_ROWS and _has_order(node)):
                continue
            _order_arguments(node)


def aggregate_name(node: exp.Func) -> str:
    """Returns the engine's name of an aggregate, in lower case; that of another function as it may be."""
    if isinstance(node, exp.GroupConcat):
        return "string_agg"
    if isinstance(node, exp.ArrayAgg):
        return "array_agg"
    name = function_name(node)
    return _OTHER_NAMES.get(name, name)


_OTHER_NAMES: Final = {
    "variance_pop": "var_pop",
    "percentile_cont": "quantile_cont",
    "percentile_disc": "quantile_disc",
    "approx_distinct": "approx_count_distinct",
}


def is_aggregate(node: exp.Expr) -> bool:
    """Tells whether a node is a call of an aggregate."""
    if isinstance(node, exp.AggFunc):
        return True
    known = FREE | ORDERED | UNORDERED
    return isinstance(node, exp.Anonymous) and str(node.this).lower() in known


def _windows(select: exp.Select) -> list[exp.Window]:
    named = {each.name.lower(): each for each in select.args.get("windows") or ()}
    found = []
    for window in select.find_all(exp.Window):
        if window.arg_key == "windows" or window.find_ancestor(exp.Select) is not select:
            continue
        base = named.get(str(window.alias).lower()) if window.args.get("alias") else None
        if base is not None:
            for key in ("partition_by", "order", "spec"):
                if base.args.get(key) and not window.args.get(key):
                    value = base.args[key]
                    copies = (
                        [each.copy() for each in value] if isinstance(value, list) else value.copy()
                    )
                    window.set(key, copies)
            window.set("alias", None)
        found.append(window)
    return found


def _settle_window(select: exp.Select, window: exp.Window) -> None:
    function = window.this
    while isinstance(function, exp.IgnoreNulls | exp.RespectNulls | exp.Filter | exp.WithinGroup):
        function = function.this
    name = aggregate_name(function) if isinstance(function, exp.Func) else ""
    if name in _RANKS:
        return
    spec = window.args.get("spec")
    by_rows = spec is not None and str(spec.args.get("kind") or "").upper() == "ROWS"
    if (name in _PLACES and (by_rows or spec is None)) or by_rows:
        _order_by(window, _told_apart_by_source(select, f"{name}() OVER"))
    elif name in _PLACES or name in _ENDS or (name in _OF_ROWS and window.args.get("order")):
        raise QueryCursorError(
            f"cannot page query: {name}() OVER takes one of several rows where they tie; "
            "write the frame of the window as ROWS BETWEEN"
        )


# What they give is put together of rows in their order, and no rounding error of a sum.
_OF_ROWS: Final = frozenset(
    ["any_value", "arbitrary", "array_agg", "first", "last", "list", "listagg", "string_agg"]
)


def _told_apart(query: exp.Query, where: str) -> list[exp.Expr]:
    """Returns what rows of a subquery differ by: rows alike in every column are one to the query around it."""
    count = item_count(query)
    if count is not None:
        return [exp.Literal.number(position) for position in range(1, count + 1)]
    if isinstance(query, exp.Select):
        return _told_apart_by_source(query, where)
    raise _no_choice(where)


def _told_apart_by_source(select: exp.Select, where: str) -> list[exp.Expr]:
    columns = source_columns(select)
    if columns is None:
        raise _no_choice(where)
    return columns


def _no_choice(where: str) -> QueryCursorError:
    return QueryCursorError(
        f"cannot page query: {where} may take other rows each time where they tie, and what it reads has no "
        "columns known by name that tell rows apart; give it a subquery with named columns"
    )


def _order_by(node: exp.Expr, columns: list[exp.Expr]) -> None:
    order = node.args.get("order")
    if order is None:
        if not columns:
            return
        order = exp.Order(expressions=[])
        node.set("order", order)
    if any(_is_all(each) for each in order.expressions):
        return
    for column in columns:
        order.append("expressions", exp.Ordered(this=column, nulls_first=False))


def _is_all(ordered: exp.Expr) -> bool:
    value = ordered.this if isinstance(ordered, exp.Ordered) else ordered
    return isinstance(value, exp.Column | exp.Var) and value.name.upper() == "ALL"


def _has_order(function: exp.Func) -> bool:
    """Tells whether a window around a call orders its rows."""
    node = function.parent
    while isinstance(node, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        node = node.parent
    return isinstance(node, exp.Window) and node.args.get("order") is not None


def _order_arguments(node: exp.Func) -> None:
    keys = [key for key in node.arg_types if isinstance(node.args.get(key), exp.Expr)]
    last: exp.Expr
    if isinstance(node, exp.Anonymous):
        if not node.expressions:
            return
        arguments, last = list(node.expressions), node.expressions[-1]
    elif keys:
        arguments = [node.args[key] for key in keys]
        # The engine's own writing of this one has its order behind the first argument.
        last = node.this if isinstance(node, exp.GroupConcat) else arguments[-1]
    else:
        return
    order = next((each for each in arguments if isinstance(each, exp.Order)), None)
    values = [value for each in arguments for value in _values(each)]
    values = [value for value in values if value.find(exp.Column) is not None]
    if not values:
        return
    if order is None:
        order = exp.Order(this=last.copy(), expressions=[])
        last.replace(order)
    for value in values:
        order.append("expressions", exp.Ordered(this=value.copy(), nulls_first=False))


def _values(argument: exp.Expr) -> list[exp.Expr]:
    if isinstance(argument, exp.Order):
        return _values(argument.this)
    if isinstance(argument, exp.Distinct):
        return list(argument.expressions)
    return [argument]
