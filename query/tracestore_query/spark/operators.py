"""Operators over one source, and sets."""

from __future__ import annotations

from typing import Any, Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.spark.aggregation import aggregated, windowed
from tracestore_query.spark.expressions import name_of
from tracestore_query.spark.joins import any_joined, compared_joined, crossed, positional
from tracestore_query.spark.names import column, named
from tracestore_query.spark.ordering import order_text
from tracestore_query.spark.relations import ID, Context, Operator, Relation, items
from tracestore_query.spark.types import EngineType, read_type

_INTEGER: Final = EngineType("INTEGER")


def relation(node: Any, context: Context) -> Relation:
    """Returns an operator and all below it as a query.

    Raises:
        SparkRefusedError: naming what Spark has no equal of.
    """
    kind = str(node["type"])
    operator = _OPERATORS.get(kind)
    if operator is None:
        shown = kind.removeprefix("LOGICAL_").replace("_", " ")
        raise SparkRefusedError.of(f"{shown}", "write it with joins and groups")
    wants_id = context.wants_id
    context.wants_id = wants_id and kind in _KEEP_ID
    made = operator(node, context)
    context.wants_id = wants_id
    return made


def _child(node: Any, context: Context, position: int = 0) -> Relation:
    return relation(node["children"][position], context)


def _scanned(node: Any, context: Context) -> Relation:
    """Returns the columns of a table that the query reads."""
    data = node.get("function_data") or {}
    table = str(data.get("table") or "")
    has_id = context.wants_id and table in context.scans
    source = context.source(table, has_id)
    if source is None:
        name = name_of(node)
        if name in {"range", "generate_series"} and node.get("parameters"):
            return _series(node, closed=name == "generate_series")
        if name == "unnest" and node.get("children"):
            return _unnested_table(node, context)
        raise SparkRefusedError.of(f"table function {name}", "write the rows with VALUES")
    names, types = node["names"], [read_type(each) for each in node["returned_types"]]
    places = _places(node)
    picked = [named(names[place]) if place is not None else "0L" for place in places]
    kinds = tuple(types[place] if place is not None else EngineType("BIGINT") for place in places)
    more = f", {ID}" if has_id else ""
    return Relation(f"SELECT {items(picked)}{more} FROM ({source})", kinds, has_id)


def _places(node: Any) -> list[int | None]:
    """Returns the positions of the columns that a table gives, None for the number of the row."""
    ids = node.get("column_indexes") or [{"index": each} for each in node.get("column_ids", ())]
    places: list[int | None] = []
    for each in ids:
        index = int(each.get("index", 0))
        places.append(index if index < 2**62 else None)
    projected = node.get("projection_ids")
    return [places[int(at)] for at in projected] if projected else places or [None]


def _series(node: Any, *, closed: bool) -> Relation:
    values = [int(each.get("value", 0)) for each in node.get("parameters", ())]
    start, stop, step = (0, values[0], 1) if len(values) == 1 else (*values, 1)[:3]
    stop += 1 if closed and step > 0 else -1 if closed else 0
    return Relation(f"SELECT id AS c0 FROM range({start}, {stop}, {step})", (EngineType("BIGINT"),))


def _projected(node: Any, context: Context) -> Relation:
    below = _child(node, context)
    made = [context.expressions(below.columns()).typed(each) for each in node["expressions"]]
    more = f", {ID}" if below.has_id else ""
    sql = f"SELECT {items([each.sql for each in made])}{more} FROM ({below.sql})"
    return Relation(sql, tuple(each.type for each in made), below.has_id)


def _filtered(node: Any, context: Context) -> Relation:
    below = _child(node, context)
    expressions = context.expressions(below.columns())
    where = " AND ".join(f"({expressions.text(each)})" for each in node.get("expressions", ()))
    kept = node.get("projection_map") or range(len(below.types))
    more = f", {ID}" if below.has_id else ""
    sql = f"SELECT {items([column(at) for at in kept])}{more} FROM ({below.sql}) rows WHERE {where or 'true'}"
    return Relation(sql, tuple(below.types[at] for at in kept), below.has_id)


def _ordered(node: Any, context: Context) -> Relation:
    below = _child(node, context)
    orders = order_text(node["orders"], context.expressions(below.columns()))
    kept = node.get("projections") or range(len(below.types))
    inner = f"SELECT * FROM ({below.sql}) ORDER BY {orders}"
    if list(kept) == list(range(len(below.types))):
        return Relation(inner, below.types)
    sql = f"SELECT {items([column(at) for at in kept])} FROM ({inner})"
    return Relation(sql, tuple(below.types[at] for at in kept))


def _limited(node: Any, context: Context) -> Relation:
    below = _child(node, context)
    clauses = ""
    for name, word in (("limit_val", "LIMIT"), ("offset_val", "OFFSET")):
        bound = node.get(name) or {}
        kind = bound.get("type", "UNSET")
        if kind == "UNSET":
            continue
        if kind != "CONSTANT_VALUE":
            raise SparkRefusedError.of(f"{word} of {kind}", "give a whole number")
        clauses += f" {word} {int(bound.get('constant_integer', bound.get('constant_value', 0)))}"
    return Relation(f"SELECT * FROM ({below.sql}){clauses}", below.types)


def _distinct(node: Any, context: Context) -> Relation:
    below = _child(node, context)
    if node.get("distinct_type", "DISTINCT") == "DISTINCT":
        return Relation(f"SELECT DISTINCT * FROM ({below.sql})", below.types)
    expressions = context.expressions(below.columns())
    targets = ", ".join(expressions.text(each) for each in node["distinct_targets"])
    order = (node.get("order_by") or {}).get("orders")
    orders = order_text(order, expressions) if order else targets
    ranked = (
        f"SELECT *, row_number() OVER (PARTITION BY {targets} ORDER BY {orders}) AS __rank "
        f"FROM ({below.sql})"
    )
    names = [column(at) for at in range(len(below.types))]
    return Relation(f"SELECT {', '.join(names)} FROM ({ranked}) rows WHERE __rank = 1", below.types)


def _unnested_table(node: Any, context: Context) -> Relation:
    """Returns a row for each item of a list of each row, with columns of that row behind it."""
    below = _child(node, context)
    kept = [int(at) for at in node.get("projected_input", ())]
    kind = below.types[0].item
    listed = items([f"explode({column(0)})", *(column(at) for at in kept)])
    sql = f"SELECT {listed} FROM ({below.sql})"
    return Relation(sql, (kind, *(below.types[at] for at in kept)))


def _unnested(node: Any, context: Context) -> Relation:
    """Returns a row for each item of lists: of several, those of one place stand beside each other."""
    below = _child(node, context)
    expressions = context.expressions(below.columns())
    lists = [expressions.typed(each["child"]) for each in node["expressions"]]
    names = [column(at) for at in range(len(below.types))]
    first = len(names)
    kinds = tuple(read_type(each["return_type"]) for each in node["expressions"])
    if len(lists) == 1:
        sql = f"SELECT {items([*names, f'explode({lists[0].sql})'])} FROM ({below.sql})"
        return Relation(sql, (*below.types, *kinds))
    padded = ", ".join(
        f"coalesce({each.sql}, CAST(array() AS {each.type.spark}))" for each in lists
    )
    parts = [f"item.`{at}` AS {column(first + at)}" for at in range(len(lists))]
    unnested = f"SELECT *, explode(arrays_zip({padded})) AS item FROM ({below.sql})"
    sql = f"SELECT {', '.join([*names, *parts])} FROM ({unnested})"
    return Relation(sql, (*below.types, *kinds))


def _one_row(_: Any, __: Context) -> Relation:
    return Relation("SELECT 0 AS c0", (_INTEGER,))


def _rows(node: Any, context: Context) -> Relation:
    """Returns the rows of VALUES."""
    kinds = tuple(read_type(each) for each in node["expr_types"])
    below = _child(node, context)
    expressions = context.expressions(below.columns())
    rows = [
        f"SELECT {items([expressions.text(each) for each in row])} FROM ({below.sql})"
        for row in node["expressions"]
    ]
    return Relation(" UNION ALL ".join(rows), kinds)


def _nothing(node: Any, _: Context) -> Relation:
    kinds = tuple(read_type(each) for each in node["return_types"])
    nulls = items([f"CAST(NULL AS {kind.spark})" for kind in kinds])
    return Relation(f"SELECT {nulls} WHERE false", kinds)


def _set(word: str) -> Operator:
    def build(node: Any, context: Context) -> Relation:
        parts = [_child(node, context, at) for at in range(len(node["children"]))]
        kind = " ALL" if node.get("setop_all", True) else " DISTINCT"
        sql = f" {word}{kind} ".join(f"({part.sql})" for part in parts)
        return Relation(f"SELECT * FROM ({sql})", parts[0].types)

    return build


def _common(node: Any, context: Context) -> Relation:
    """Returns a query with a table expression before it."""
    is_of_rows = str(node.get("ctename", "")).startswith("__duckdb_delim_")
    context.wants_id = is_of_rows
    first = _child(node, context)
    context.wants_id = False
    name = f"cte{node.get('table_index', 0)}_{context.scope.name()}"
    context.views.append((name, first.sql))
    context.ctes[int(node.get("table_index", 0))] = (name, first.types)
    return _child(node, context, 1)


def _reference(node: Any, context: Context) -> Relation:
    name, kinds = context.ctes[int(node.get("cte_index", 0))]
    return Relation(f"SELECT * FROM {name}", kinds)


_KEEP_ID: Final = frozenset(
    {"LOGICAL_GET", "LOGICAL_FILTER", "LOGICAL_PROJECTION", "LOGICAL_WINDOW"}
)
"""Operators whose rows are rows of the one below."""

_OPERATORS: Final[dict[str, Operator]] = {
    "LOGICAL_GET": _scanned,
    "LOGICAL_PROJECTION": _projected,
    "LOGICAL_FILTER": _filtered,
    "LOGICAL_ORDER_BY": _ordered,
    "LOGICAL_LIMIT": _limited,
    "LOGICAL_DISTINCT": _distinct,
    "LOGICAL_UNNEST": _unnested,
    "LOGICAL_DUMMY_SCAN": _one_row,
    "LOGICAL_EXPRESSION_GET": _rows,
    "LOGICAL_EMPTY_RESULT": _nothing,
    "LOGICAL_UNION": _set("UNION"),
    "LOGICAL_EXCEPT": _set("EXCEPT"),
    "LOGICAL_INTERSECT": _set("INTERSECT"),
    "LOGICAL_MATERIALIZED_CTE": _common,
    "LOGICAL_CTE_REF": _reference,
    "LOGICAL_AGGREGATE_AND_GROUP_BY": lambda node, context: aggregated(
        node, _child(node, context), context
    ),
    "LOGICAL_WINDOW": lambda node, context: windowed(node, _child(node, context), context),
    "LOGICAL_CROSS_PRODUCT": lambda node, context: crossed(
        _child(node, context), _child(node, context, 1)
    ),
    "LOGICAL_POSITIONAL_JOIN": positional,
    "LOGICAL_COMPARISON_JOIN": lambda node, context: compared_joined(node, context, relation),
    "LOGICAL_ASOF_JOIN": positional,
    "LOGICAL_ANY_JOIN": lambda node, context: any_joined(node, context, relation),
}
