"""How a parse tree is judged: rules of values and of nodes, and the names that a text may use.

Which classes, fields and values there are, `parse_tree` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracestore_query.errors import QueryForbiddenError
from tracestore_query.plan.partial_aggregates import EXPORTED

Names = frozenset[str]
Rule = Callable[["Walk", Any, Names], None]
Fields = Mapping[str, Rule]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPERATORS: Final = _words(
    "+ - * / // % ** ^ & | ~ << >> || @ ! <=> ^@ && @> <@ -> ->> ~~ !~~ ~~* !~~* ~~~"
)
"""Functions of the engine that are written as operators."""

TYPES: Final = _words("""
    array bigint bignum binary bit bitstring blob bool boolean bpchar bytea char date datetime dec decimal double
    enum float float4 float8 guid hugeint int int1 int128 int16 int2 int32 int4 int64 int8 integer integral interval
    json list logical long map null numeric nvarchar oid real row short signed smallint string struct text time
    time_ns timestamp timestamp_ms timestamp_ns timestamp_s timestamp_us timestamptz timestamptz_ns timetz tinyint
    ubigint uhugeint uint128 uint16 uint32 uint64 uint8 uinteger union usmallint utinyint uuid varbinary varchar
    varint
""") | {"time with time zone", "timestamp with time zone"}
"""Types of the engine; not VARIANT, whose casts recurse over a value without a bound and end the process."""

READER: Final = "read_parquet"

MAX_MADE: Final = 10_000_000
"""The largest number that a statement may write out where a function makes so many items or bytes of one value:
neither the engine's memory limit nor an interrupt holds within a value."""

MAKERS: Final = _words(
    "array_resize bar format generate_series list_resize lpad printf range repeat rpad"
)
"""Functions that make a value as large as a number says."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The fields of every class of expressions, kind of source, of query and of clause, and of a CTE."""

    expressions: Mapping[str, dict[str, Rule]]
    tables: Mapping[str, Fields]
    queries: Mapping[str, Fields]
    modifiers: Mapping[str, dict[str, Rule]]
    cte: Fields


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a text may name beside its own CTEs.

    Attributes:
        tables: names in FROM, in lower case.
        functions: scalar, aggregate and window functions.
        table_functions: functions in FROM.
        objects: functions of this text alone.
        files: that `read_parquet` may be called with; none forbids the call.
    """

    tables: Collection[str]
    functions: Collection[str]
    table_functions: Collection[str] = ()
    objects: Collection[str] = ()
    files: Collection[str] = ()


class Walk:
    """The nodes of a tree that are still to be judged: a stack, since trees are as deep as their texts are long."""

    def __init__(self, grammar: Grammar, allowed: Allowed) -> None:
        self.grammar = grammar
        self.allowed = allowed
        self._stack: list[tuple[Rule, Any, Names]] = []

    def judge(self, rule: Rule, value: Any, names: Names) -> None:
        """Judges a value by a rule, among the CTEs that it may name: nodes later, and all else at once."""
        if rule in NODES:
            self._stack.append((rule, value, names))
        elif value is not None:
            rule(self, value, names)

    def run(self) -> None:
        """Judges the nodes that were left for later; what is absent is right."""
        while self._stack:
            rule, value, names = self._stack.pop()
            if value is not None:
                rule(self, value, names)

    def fields(self, node: Any, rules: Mapping[str, Rule], names: Names) -> None:
        """Judges each field of a node by its rule."""
        if not isinstance(node, dict):
            raise refused("node", node)
        for field, value in node.items():
            rule = rules.get(field)
            if rule is None:
                raise refused("field", field)
            # As `judge` does: called for each of the thousands of fields of a text.
            if rule in NODES:
                self._stack.append((rule, value, names))
            elif value is not None:
                rule(self, value, names)


def refused(kind: str, value: object) -> QueryForbiddenError:
    """Returns the error of a part that is not listed."""
    return QueryForbiddenError(
        f"cannot run query: the engine reads {kind} {str(value)[:60]!r} in it, which is not allowed"
    )


# --- rules of single values ---------------------------------------------------------------------


def text(_: Walk, value: Any, __: Names) -> None:
    """Takes any text: a name that has no power, or a literal."""
    if not isinstance(value, str):
        raise refused("name", value)


def number(_: Walk, value: Any, __: Names) -> None:
    """Takes a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused("number", value)


def flag(_: Walk, value: Any, __: Names) -> None:
    """Takes true or false."""
    if not isinstance(value, bool):
        raise refused("flag", value)


def nothing(_: Walk, value: Any, __: Names) -> None:
    """Takes nothing but the default."""
    if value:
        raise refused("value", value)


def one_of(*values: str) -> Rule:
    """Returns the rule that takes these texts."""
    wanted = frozenset(values)

    def rule(_: Walk, value: Any, __: Names) -> None:
        if not isinstance(value, str) or value not in wanted:
            raise refused("value", value)

    return rule


def each(item: Rule) -> Rule:
    """Returns the rule of a list whose items have a rule."""

    def rule(walk: Walk, value: Any, names: Names) -> None:
        if not isinstance(value, list):
            raise refused("list", value)
        for one in value:
            walk.judge(item, one, names)

    return rule


def record(**rules: Rule) -> Rule:
    """Returns the rule of an object of these fields."""

    def rule(walk: Walk, value: Any, names: Names) -> None:
        walk.fields(value, rules, names)

    return rule


# --- rules of nodes -----------------------------------------------------------------------------


def expression(walk: Walk, node: Any, names: Names) -> None:
    """Judges an expression by its class, and the function or type that it names."""
    rules = walk.grammar.expressions.get(str(node.get("class"))) if isinstance(node, dict) else None
    if rules is None:
        raise refused("expression", node.get("class") if isinstance(node, dict) else node)
    walk.fields(node, rules, names)
    if "function_name" in node:
        _function(walk, node)
    elif "type_name" in node:
        _same_name(node, node["type_name"])
        if node["type_name"].lower() not in TYPES:
            raise refused("type", node["type_name"])


def _function(walk: Walk, node: dict[str, Any]) -> None:
    name = node["function_name"]
    _same_name(node, name)
    if name.lower() in MAKERS:
        _bounded(node)
    if node.get("export_state") and name.lower() not in EXPORTED:
        raise refused("state", name)
    if name.lower() in walk.allowed.functions or name in OPERATORS or name in walk.allowed.objects:
        return
    raise refused("function", name)


def _bounded(node: dict[str, Any]) -> None:
    for argument in node.get("arguments") or ():
        literal = (argument.get("expression") or {}).get("literal") or {}
        if literal.get("kind") in {"INTEGER", "NUMERIC"} and _size(literal["text"]) > MAX_MADE:
            raise QueryForbiddenError(
                f"cannot run query: {node['function_name']}() may make at most {MAX_MADE} items or bytes of one value"
            )


def _size(number: str) -> float:
    try:
        return abs(float(number.replace("_", "")))
    except ValueError:
        return math.inf


def _same_name(node: dict[str, Any], name: Any) -> None:
    """Refuses a name that is another one in full."""
    if not isinstance(name, str) or node.get("qualified_name") != {"path": [name]}:
        raise refused("name", node.get("qualified_name"))


def table(walk: Walk, node: Any, names: Names) -> None:
    """Judges a source in FROM: a table is one that the text may name, or a CTE in sight."""
    rules = walk.grammar.tables.get(str(node.get("type"))) if isinstance(node, dict) else None
    if rules is None:
        raise refused("source", node.get("type") if isinstance(node, dict) else node)
    walk.fields(node, rules, names)
    if node["type"] == "BASE_TABLE":
        name = node.get("table_name")
        _same_name(node, name)
        if str(name).lower() not in names and str(name).lower() not in walk.allowed.tables:
            raise refused("table", name)


def table_call(walk: Walk, node: Any, names: Names) -> None:
    """Judges the function that a source calls."""
    if not isinstance(node, dict) or node.get("class") != "FUNCTION":
        raise refused("source", node.get("class") if isinstance(node, dict) else node)
    name = node.get("function_name")
    _same_name(node, name)
    arguments = node.get("arguments") or []
    if name == READER and walk.allowed.files:
        _files(walk, arguments[:1])
        arguments = arguments[1:]
    elif name not in walk.allowed.table_functions:
        raise refused("table function", name)
    walk.fields(node, walk.grammar.expressions["FUNCTION"] | {"arguments": judged_elsewhere}, names)
    walk.judge(walk.grammar.expressions["FUNCTION"]["arguments"], arguments, names)


def judged_elsewhere(_: Walk, __: Any, ___: Names) -> None:
    """Leaves what the caller judges."""


def _files(walk: Walk, arguments: list[Any]) -> None:
    """Refuses files that are not the very ones that are allowed."""
    first: dict[str, Any] = arguments[0] if arguments else {}
    listed = first.get("expression") or {}
    if first.get("name") or listed.get("function_name") != "list_value":
        raise refused("files", listed.get("class"))
    for each in listed.get("arguments") or [{}]:
        literal = (each.get("expression") or {}).get("literal") or {}
        if literal.get("kind") != "STRING" or literal.get("text") not in walk.allowed.files:
            raise refused("file", "of a name that the plan has not")


def query(walk: Walk, node: Any, names: Names) -> None:
    """Judges a query with the CTEs that it may name: those around it and its own."""
    rules = walk.grammar.queries.get(str(node.get("type"))) if isinstance(node, dict) else None
    if rules is None:
        raise refused("query", node.get("type") if isinstance(node, dict) else node)
    inner = names
    for cte in (node.get("cte_map") or {}).get("map") or ():
        inner = _cte(walk, cte, inner)
    walk.fields(node, rules, inner)


def _cte(walk: Walk, cte: Any, names: Names) -> Names:
    """Judges a CTE by the names before it, and its own where it recurses; returns these and its own."""
    if not isinstance(cte, dict) or set(cte) != {"key", "value"} or not isinstance(cte["key"], str):
        raise refused("CTE", cte)
    known = names | {cte["key"].lower()}
    query = cte["value"].get("query_node") if isinstance(cte["value"], dict) else None
    recurses = isinstance(query, dict) and query.get("type") == "RECURSIVE_CTE_NODE"
    if isinstance(query, dict) and query.get("cte_name", cte["key"]) != cte["key"]:
        raise refused("CTE", query["cte_name"])
    walk.fields(cte["value"], walk.grammar.cte, known if recurses else names)
    return known


def modifier(walk: Walk, node: Any, names: Names) -> None:
    """Judges DISTINCT, ORDER BY or LIMIT."""
    rules = walk.grammar.modifiers.get(str(node.get("type"))) if isinstance(node, dict) else None
    if rules is None:
        raise refused("clause", node.get("type") if isinstance(node, dict) else node)
    walk.fields(node, rules | {"type": text}, names)


NODES: Final = frozenset({expression, table, table_call, query, modifier})
"""The rules of nodes that may hold nodes of their own kind: how deep these lie, the text says."""
