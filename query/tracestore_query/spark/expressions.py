"""Bound expressions of the engine's plan as Spark SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.language.search_words import WORDS_IN_JSON, WORDS_IN_TEXT
from tracestore_query.language.value_macros import CANONICAL_JSON
from tracestore_query.spark import values
from tracestore_query.spark.calls import Builder, Call, Scope, Typed
from tracestore_query.spark.constants import constant
from tracestore_query.spark.functions.casts import cast
from tracestore_query.spark.functions.json_texts import JSON_TEXTS
from tracestore_query.spark.functions.lists import LISTS
from tracestore_query.spark.functions.nested_orders import ordered
from tracestore_query.spark.functions.numbers import NUMBERS
from tracestore_query.spark.functions.texts import TEXTS
from tracestore_query.spark.functions.times import TIMES, interval
from tracestore_query.spark.types import EngineType, read_type

_BOOLEAN: Final = EngineType("BOOLEAN")
_COMPARED: Final = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_NOT_DISTINCT_FROM": "<=>",
}
_ORDERED: Final = _COMPARED.keys() - {
    "COMPARE_EQUAL",
    "COMPARE_NOTEQUAL",
    "COMPARE_NOT_DISTINCT_FROM",
}
_OTHERS: Final[dict[str, Builder]] = {
    "error": lambda call: f"CAST(raise_error({call[0]}) AS {call.type.spark})",
    "constant_or_null": lambda call: f"IF({call[1]} IS NULL, NULL, {call[0]})",
    CANONICAL_JSON: lambda call: values.canonical(call[0]),
}
FUNCTIONS: Final[Mapping[str, Builder]] = {
    **NUMBERS,
    **TEXTS,
    **TIMES,
    **LISTS,
    **JSON_TEXTS,
    **_OTHERS,
}
"""What makes the text of a call, by the engine's name of the function: one that is not here is refused."""

_LAMBDAS: Final = {
    "list_transform": "transform",
    "array_transform": "transform",
    "list_apply": "transform",
    "array_apply": "transform",
    "apply": "transform",
    "list_filter": "filter",
    "array_filter": "filter",
    "filter": "filter",
    "list_reduce": "reduce",
    "array_reduce": "reduce",
    "reduce": "reduce",
}


class Expressions:
    """What makes texts of the expressions over the columns of one relation.

    Args:
        columns: the columns, which the plan names by their positions.
        scope: of the query.
        objects: names of functions that the query calls to rebuild objects, and of those of words.
    """

    def __init__(self, columns: Sequence[Typed], scope: Scope, objects: Mapping[str, str]) -> None:
        self._columns = columns
        self._scope = scope
        self._objects = objects
        self._values = values.functions(scope.let)

    def text(self, node: Any) -> str:
        """Returns the text of an expression."""
        return self.typed(node).sql

    def typed(self, node: Any) -> Typed:
        """Returns an expression with its type.

        Raises:
            SparkRefusedError: naming what Spark has no equal of.
        """
        made: Typed = getattr(self, f"_{node['expression_class'].lower()}", self._unknown)(node)
        return made

    def _unknown(self, node: Any) -> Typed:
        raise SparkRefusedError.of(f"expression {node['type']}", "write it another way")

    def _bound_ref(self, node: Any) -> Typed:
        return self._columns[int(node.get("index", 0))]

    def _bound_column_ref(self, node: Any) -> Typed:
        # Below a table function the engine leaves names as they were: those of the one source.
        return self._columns[int(node["binding"].get("column_index", 0))]

    def _bound_constant(self, node: Any) -> Typed:
        return constant(node["value"])

    def _converted(self, node: Any) -> Typed:
        to = read_type(node["return_type"])
        value = self.typed(node["children"][0])
        data = node.get("function_data") or {}
        made = cast(value, to, self._scope, is_try=bool(data.get("try_cast")))
        is_kept = value.is_constant and (
            value.type == to or (value.type.is_number and to.is_number)
        )
        return Typed(made, to, value.constant if is_kept else None, is_constant=is_kept)

    def compared(self, kind: str, left: Typed, right: Typed) -> str:
        """Returns a comparison."""
        if left.type.name in {"INTERVAL", "MAP"}:
            raise SparkRefusedError.of(f"a comparison of {left.type.name}", "compare its parts")
        if kind == "COMPARE_DISTINCT_FROM":
            return f"(NOT ({left.sql} <=> {right.sql}))"
        if kind in _ORDERED:
            return f"({ordered(left)} {_COMPARED[kind]} {ordered(right)})"
        return f"({left.sql} {_COMPARED[kind]} {right.sql})"

    def _bound_conjunction(self, node: Any) -> Typed:
        word = " AND " if node["type"] == "CONJUNCTION_AND" else " OR "
        parts = [self.text(child) for child in node["children"]]
        return Typed(f"({word.join(parts)})", _BOOLEAN)

    def _bound_case(self, node: Any) -> Typed:
        checks = [
            f"WHEN {self.text(check['when_expr'])} THEN {self.text(check['then_expr'])}"
            for check in node["case_checks"]
        ]
        otherwise = self.text(node["else_expr"])
        kind = read_type(node["return_type"])
        return Typed(f"CASE {' '.join(checks)} ELSE {otherwise} END", kind)

    def _bound_operator(self, node: Any) -> Typed:
        kind = read_type(node["return_type"])
        parts = [self.typed(child) for child in node["children"]]
        return Typed(self._operator(node["type"], parts, kind), kind)

    def _operator(self, name: str, parts: Sequence[Typed], kind: EngineType) -> str:
        first = parts[0].sql
        match name:
            case "OPERATOR_IS_NULL":
                return f"({first} IS NULL)"
            case "OPERATOR_IS_NOT_NULL":
                return f"({first} IS NOT NULL)"
            case "OPERATOR_NOT":
                return f"(NOT {first})"
            case "OPERATOR_COALESCE":
                return f"coalesce({', '.join(part.sql for part in parts)})"
            case "COMPARE_IN":
                return f"({first} IN ({', '.join(part.sql for part in parts[1:])}))"
            case "COMPARE_NOT_IN":
                return f"({first} NOT IN ({', '.join(part.sql for part in parts[1:])}))"
            case "OPERATOR_NULLIF":
                return f"nullif({first}, {parts[1].sql})"
            case "ARRAY_CONSTRUCTOR":
                return f"array({', '.join(part.sql for part in parts)})"
            case "ARRAY_EXTRACT" | "STRUCT_EXTRACT" | "ARRAY_SLICE":
                function = name.lower().replace("array", "list")
                return FUNCTIONS[function](Call(function, parts, kind, self._scope))
            case "OPERATOR_TRY":
                raise SparkRefusedError.of("TRY", "use TRY_CAST")
        raise SparkRefusedError.of(f"operator {name}", "write it another way")

    def _bound_function(self, node: Any) -> Typed:
        form, kind = str(node["type"]), read_type(node["return_type"])
        if form == "OPERATOR_CAST":
            return self._converted(node)
        if form in _COMPARED or form == "COMPARE_DISTINCT_FROM":
            left, right = (self.typed(child) for child in node["children"])
            return Typed(self.compared(form, left, right), _BOOLEAN)
        if form == "COMPARE_BETWEEN":
            return Typed(self._between(node), _BOOLEAN)
        name = name_of(node)
        if name in _LAMBDAS:
            return Typed(self._lambda(name, node), kind)
        parts = [self.typed(child) for child in node.get("children", ())]
        if name in self._values:
            return Typed(self._scope.let(parts[0].sql, self._values[name]), kind)
        if name in self._objects:
            return Typed(f"{self._objects[name]}({', '.join(part.sql for part in parts)})", kind)
        if name in {WORDS_IN_TEXT, WORDS_IN_JSON}:
            made = f"{name}({', '.join(part.sql for part in parts)})"
            return Typed(f"CAST({made} AS {kind.spark})", kind)
        build = FUNCTIONS.get(name)
        if build is None:
            raise SparkRefusedError.of(f"function {name}", "compute it from the rows of the answer")
        made = build(Call(name, parts, kind, self._scope))
        if kind.name == "INTERVAL" and len(parts) == 1 and isinstance(parts[0].constant, int):
            return Typed(made, kind, interval(name, parts[0].constant), is_constant=True)
        return Typed(made, kind)

    def _between(self, node: Any) -> str:
        value, low, high = (ordered(self.typed(child)) for child in node["children"])
        data = node.get("function_data") or {}
        above = ">=" if data.get("lower_inclusive") else ">"
        below = "<=" if data.get("upper_inclusive") else "<"
        return self._scope.let(value, lambda x: f"({x} {above} {low} AND {x} {below} {high})")

    def _lambda(self, name: str, node: Any) -> str:
        """Returns a call that computes an expression for each item of a list."""
        given = [each for each in node["children"] if each["expression_class"] != "BOUND_LAMBDA"]
        items, *captured = (self.typed(child) for child in given)
        data = node["function_data"]
        body, has_index = data["lambda_expr"], bool(data.get("has_index"))
        item, other = self._scope.name(), self._scope.name()
        parameters = [Typed(item, items.type.item)]
        if _LAMBDAS[name] == "reduce":
            if has_index or data.get("has_initial"):
                raise SparkRefusedError.of(
                    f"function {name} with an index or a start", "unnest the list"
                )
            parameters.append(Typed(other, items.type.item))
            made = self._inside(parameters, captured).text(body)
            return self._scope.let(
                items.sql,
                lambda x: (
                    f"aggregate(slice({x}, 2, greatest(array_size({x}) - 1, 0)), "
                    f"try_element_at({x}, 1), ({other}, {item}) -> {made})"
                ),
            )
        if has_index:
            place = Typed(f"CAST({other} + 1 AS BIGINT)", EngineType("BIGINT"))
            parameters = [place, *parameters]
        made = self._inside(parameters, captured).text(body)
        names = f"({item}, {other})" if has_index else item
        return f"{_LAMBDAS[name]}({items.sql}, {names} -> {made})"

    def _inside(self, parameters: Sequence[Typed], captured: Sequence[Typed]) -> Expressions:
        return Expressions([*parameters, *captured], self._scope, self._objects)


def name_of(node: Any) -> str:
    """Returns the name of the function that a node calls."""
    return str(node["qname"]["path"][-1])
