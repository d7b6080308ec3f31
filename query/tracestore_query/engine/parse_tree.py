"""The allow-list of the engine's own parse trees: what the engine reads in a text is what is judged.

A tree is that of `json_serialize_sql`. Every class, type, field and value of it is listed here or refused: what
a later engine adds is refused until somebody has judged it. A field that is absent has the engine's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tracestore_query.engine.parse_rules import (
    Allowed,
    Grammar,
    Rule,
    Walk,
    each,
    expression,
    flag,
    judged_elsewhere,
    modifier,
    nothing,
    number,
    one_of,
    query,
    record,
    table,
    table_call,
    text,
)
from tracestore_query.errors import QueryForbiddenError

_EXPRESSIONS: Final = each(expression)
_TEXTS: Final = each(text)
_ORDERS: Final = each(
    record(
        type=one_of("ASCENDING", "DESCENDING", "ORDER_DEFAULT"),
        null_order=one_of("NULLS FIRST", "NULLS LAST", "ORDER_DEFAULT"),
        expression=expression,
    )
)
_ARGUMENTS: Final = each(record(name=text, expression=expression))
_PATH: Final = record(path=_TEXTS)
_STATEMENT: Final = record(node=query, named_param_map=each(record(key=text, value=number)))
_COLUMN_NAME: Final = record(catalog=nothing, schema=nothing, table=text, column=text)
_COMPARISONS: Final = (
    *("COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_LESSTHAN", "COMPARE_GREATERTHAN"),
    *("COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHANOREQUALTO"),
    *("COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"),
)
_PLACED: Final[dict[str, Rule]] = {
    "alias": text,
    "query_location": number,
    "query_location_length": number,
}
_BOUND: Final = one_of(
    *("UNBOUNDED_PRECEDING", "UNBOUNDED_FOLLOWING"),
    *(f"CURRENT_ROW_{unit}" for unit in ("ROWS", "RANGE", "GROUPS")),
    *(f"EXPR_PRECEDING_{unit}" for unit in ("ROWS", "RANGE", "GROUPS")),
    *(f"EXPR_FOLLOWING_{unit}" for unit in ("ROWS", "RANGE", "GROUPS")),
)
_CALL: Final[dict[str, Rule]] = {
    "function_name": text,
    "qualified_name": _PATH,
    "schema": nothing,
    "catalog": nothing,
    "arguments": _ARGUMENTS,
    "distinct": flag,
    "is_legacy_function_call": flag,
}


def _kind(name: str, *types: str, **rules: Rule) -> dict[str, Rule]:
    """Returns the fields of a class of expressions, which has these types, its own name by default."""
    return {"class": one_of(name), "type": one_of(*(types or (name,))), **_PLACED, **rules}


_CLASSES: Final[dict[str, dict[str, Rule]]] = {
    "BETWEEN": _kind(
        "BETWEEN", "COMPARE_BETWEEN", input=expression, lower=expression, upper=expression
    ),
    "CASE": _kind(
        "CASE",
        "CASE_EXPR",
        case_checks=each(record(when_expr=expression, then_expr=expression)),
        else_expr=expression,
    ),
    "CAST": _kind("CAST", "OPERATOR_CAST", child=expression, try_cast=flag, type_expr=expression),
    "COLLATE": _kind("COLLATE", child=expression, collation=text),
    "COLUMN_REF": _kind("COLUMN_REF", column_names=_TEXTS),
    "COMPARISON": _kind("COMPARISON", *_COMPARISONS, left=expression, right=expression),
    "CONJUNCTION": _kind("CONJUNCTION", "CONJUNCTION_AND", "CONJUNCTION_OR", children=_EXPRESSIONS),
    "CONSTANT": _kind(
        "CONSTANT",
        "VALUE_CONSTANT",
        literal=record(
            kind=one_of("BIT", "BOOLEAN", "HEX", "INTEGER", "NULL_LITERAL", "NUMERIC", "STRING"),
            text=text,
        ),
    ),
    "FUNCTION": _kind(
        "FUNCTION",
        **_CALL,
        filter=expression,
        order_bys=record(type=one_of("ORDER_MODIFIER"), orders=_ORDERS),
        is_operator=flag,
        export_state=flag,
    ),
    "LAMBDA": _kind(
        "LAMBDA",
        lhs=expression,
        expr=expression,
        syntax_type=one_of("LAMBDA_KEYWORD", "SINGLE_ARROW"),
    ),
    "OPERATOR": _kind(
        "OPERATOR",
        *("ARRAY_CONSTRUCTOR", "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT"),
        *("COMPARE_IN", "COMPARE_NOT_IN", "GROUPING_FUNCTION"),
        *("OPERATOR_COALESCE", "OPERATOR_NULLIF", "OPERATOR_NOT", "OPERATOR_TRY"),
        *("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_UNPACK"),
        children=_EXPRESSIONS,
    ),
    "PARAMETER": _kind("PARAMETER", "VALUE_PARAMETER", identifier=text),
    "POSITIONAL_REFERENCE": _kind("POSITIONAL_REFERENCE", index=number),
    "STAR": _kind(
        "STAR",
        relation_name=text,
        exclude_list=_TEXTS,
        replace_list=each(record(key=text, value=expression)),
        columns=flag,
        expr=expression,
        qualified_exclude_list=each(_COLUMN_NAME),
        rename_list=each(record(key=_COLUMN_NAME, value=text)),
    ),
    "SUBQUERY": _kind(
        "SUBQUERY",
        subquery_type=one_of("ANY", "EXISTS", "NOT_EXISTS", "SCALAR"),
        subquery=_STATEMENT,
        child=expression,
        comparison_type=one_of("INVALID", *_COMPARISONS),
    ),
    "TYPE": _kind(
        "TYPE",
        type_name=text,
        qualified_name=_PATH,
        schema=nothing,
        catalog=nothing,
        children=_EXPRESSIONS,
    ),
    "WINDOW": _kind(
        "WINDOW",
        *("WINDOW_AGGREGATE", "WINDOW_ROW_NUMBER", "WINDOW_RANK", "WINDOW_RANK_DENSE"),
        *("WINDOW_PERCENT_RANK", "WINDOW_CUME_DIST", "WINDOW_NTILE", "WINDOW_FILL"),
        *("WINDOW_LAG", "WINDOW_LEAD", "WINDOW_FIRST_VALUE", "WINDOW_LAST_VALUE"),
        "WINDOW_NTH_VALUE",
        **_CALL,
        partitions=_EXPRESSIONS,
        orders=_ORDERS,
        arg_orders=_ORDERS,
        start=_BOUND,
        end=_BOUND,
        start_expr=expression,
        end_expr=expression,
        offset_expr=expression,
        default_expr=expression,
        filter_expr=expression,
        ignore_nulls=flag,
        has_ignore_nulls=flag,
        exclude_clause=one_of("NO_OTHER", "CURRENT_ROW", "TIES", "GROUP"),
    ),
}

_SAMPLE: Final = record(
    sample_size=record(
        type=record(id=one_of("BIGINT", "DOUBLE"), type_info=nothing),
        is_null=nothing,
        value=number,
    ),
    is_percentage=flag,
    method=one_of("Bernoulli", "Reservoir", "System"),
    seed=number,
    repeatable=flag,
    sample_rate=number,
)


def _source(name: str, **rules: Rule) -> dict[str, Rule]:
    """Returns the fields of a kind of source in FROM."""
    return {"type": one_of(name), **_PLACED, "sample": _SAMPLE, **rules}


_TABLES: Final[dict[str, dict[str, Rule]]] = {
    "BASE_TABLE": _source(
        "BASE_TABLE",
        table_name=text,
        qualified_name=_PATH,
        schema_name=nothing,
        catalog_name=nothing,
        at_clause=nothing,
        column_name_alias=_TEXTS,
    ),
    "EMPTY": _source("EMPTY"),
    "EXPRESSION_LIST": _source(
        "EXPRESSION_LIST", expected_names=_TEXTS, expected_types=nothing, values=each(_EXPRESSIONS)
    ),
    "JOIN": _source(
        "JOIN",
        left=table,
        right=table,
        condition=expression,
        join_type=one_of("INNER", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI"),
        ref_type=one_of("REGULAR", "CROSS", "NATURAL", "ASOF", "POSITIONAL"),
        using_columns=_TEXTS,
        is_implicit=flag,
        delim_flipped=nothing,
        duplicate_eliminated_columns=nothing,
        ranking_expression=nothing,
        nearest_count=number,
        nearest_order_type=one_of("ASCENDING"),
        nearest_approx=nothing,
    ),
    "PIVOT": _source(
        "PIVOT",
        source=table,
        aggregates=_EXPRESSIONS,
        unpivot_names=_TEXTS,
        pivots=each(
            record(
                pivot_expressions=_EXPRESSIONS,
                unpivot_names=_TEXTS,
                entries=each(record(values=nothing, star_expr=expression, alias=text)),
                pivot_enum=nothing,
            )
        ),
        groups=_TEXTS,
        column_name_alias=_TEXTS,
        include_nulls=flag,
    ),
    "SUBQUERY": _source("SUBQUERY", subquery=_STATEMENT, column_name_alias=_TEXTS),
    "TABLE_FUNCTION": _source(
        "TABLE_FUNCTION",
        function=table_call,
        column_name_alias=_TEXTS,
        with_ordinality=one_of("WITHOUT_ORDINALITY", "WITH_ORDINALITY"),
    ),
}

_MODIFIERS: Final[dict[str, dict[str, Rule]]] = {
    "DISTINCT_MODIFIER": {"distinct_on_targets": _EXPRESSIONS},
    "LIMIT_MODIFIER": {
        "limit": expression,
        "offset": expression,
        "limit_type": one_of("ROW_COUNT", "PERCENTAGE"),
    },
    "ORDER_MODIFIER": {"orders": _ORDERS},
}


_CTES: Final = record(map=judged_elsewhere)
_CTE: Final[dict[str, Rule]] = {
    "aliases": _TEXTS,
    "materialized": one_of(
        "CTE_MATERIALIZE_DEFAULT", "CTE_MATERIALIZE_ALWAYS", "CTE_MATERIALIZE_NEVER"
    ),
    "key_targets": nothing,
    "payload_aggregates": nothing,
    "query_node": query,
}


def _node(name: str, **rules: Rule) -> dict[str, Rule]:
    """Returns the fields of a kind of query."""
    return {"type": one_of(name), "modifiers": each(modifier), "cte_map": _CTES, **rules}


_QUERIES: Final[dict[str, dict[str, Rule]]] = {
    "SELECT_NODE": _node(
        "SELECT_NODE",
        select_list=_EXPRESSIONS,
        from_table=table,
        where_clause=expression,
        group_expressions=_EXPRESSIONS,
        group_sets=each(each(number)),
        aggregate_handling=one_of("STANDARD_HANDLING", "FORCE_AGGREGATES"),
        having=expression,
        sample=_SAMPLE,
        qualify=expression,
    ),
    "SET_OPERATION_NODE": _node(
        "SET_OPERATION_NODE",
        setop_type=one_of("UNION", "UNION_BY_NAME", "EXCEPT", "INTERSECT"),
        left=query,
        right=query,
        setop_all=flag,
        children=each(query),
    ),
    "RECURSIVE_CTE_NODE": _node(
        "RECURSIVE_CTE_NODE",
        cte_name=text,
        union_all=flag,
        left=query,
        right=query,
        aliases=_TEXTS,
        key_targets=nothing,
    ),
}

_GRAMMAR: Final = Grammar(_CLASSES, _TABLES, _QUERIES, _MODIFIERS, _CTE)


def check(tree: Mapping[str, Any], allowed: Allowed) -> None:
    """Refuses a parse tree that holds anything but what is listed.

    Args:
        tree: of `json_serialize_sql`, defaults left out or not.
        allowed: what it may name.

    Raises:
        QueryForbiddenError: naming what is not allowed.
    """
    statements = tree.get("statements")
    if tree.get("error") or not isinstance(statements, list) or len(statements) != 1:
        raise QueryForbiddenError("cannot run query: the engine reads it as no single SELECT")
    walk = Walk(_GRAMMAR, allowed)
    walk.judge(_STATEMENT, statements[0], frozenset())
    walk.run()
