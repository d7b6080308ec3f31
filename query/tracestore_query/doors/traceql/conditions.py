"""The condition of a set of spans as SQL of the language: fields are columns and paths, values are parameters."""

from __future__ import annotations

from typing import Any, Final

from tracestore_query.doors.attribute_keys import attribute_path
from tracestore_query.doors.traceql import tree
from tracestore_query.errors import QuerySyntaxError

OF_TRACES: Final = "of_traces"
"""The table of what is known of whole traces; whoever writes the statement makes it where it is named."""

TRACE_COLUMNS: Final = {
    "traceDuration": "duration_ns",
    "trace:duration": "duration_ns",
    "rootName": "root_name",
    "trace:rootName": "root_name",
    "rootServiceName": "root_service",
    "trace:rootService": "root_service",
}
"""Intrinsics of whole traces, as columns of `of_traces`."""

STATUS: Final = "coalesce(status_code, 'UNSET')"
KIND: Final = "coalesce(upper(kind), 'UNSPECIFIED')"

COLUMNS: Final = {
    "name": "name",
    "span:name": "name",
    "status": STATUS,
    "span:status": STATUS,
    "statusMessage": "status_message",
    "span:statusMessage": "status_message",
    "kind": KIND,
    "span:kind": KIND,
    "duration": "duration_ns",
    "span:duration": "duration_ns",
    "span:id": "span_id",
    "span:parentID": "parent_span_id",
    "trace:id": "trace_id",
    "instrumentation:name": "scope_name",
    "instrumentation:version": "scope_version",
}
"""Intrinsics of spans, as SQL."""

DURATIONS: Final = frozenset({"duration", "span:duration", "traceDuration", "trace:duration"})
"""Intrinsics in nanoseconds."""

_ITEMS: Final = {
    "event:name": ("events", "item.name"),
    "event:timeSinceStart": ("events", "item.time_ns - start_ns"),
    "link:traceID": ("links", "item.trace_id"),
    "link:spanID": ("links", "item.span_id"),
}
NESTED: Final = frozenset({"nestedSetLeft", "nestedSetRight", "nestedSetParent"})
"""Intrinsics that number the spans of a trace as a tree."""

INTRINSICS: Final = frozenset({*COLUMNS, *TRACE_COLUMNS, *_ITEMS, *NESTED})
_LISTS: Final = {"event": "events", "link": "links"}
_OPERATORS: Final = {"=": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_WORDS: Final = {"&&": " AND ", "||": " OR "}
_ROOTS: Final = frozenset({("<", 0), ("=", -1), ("<=", -1)})
_INNER: Final = frozenset({(">", 0), (">=", 0), ("!=", -1), (">", -1)})


class Conditions:
    """The expressions of one statement and the parameters that they need.

    Attributes:
        values: the parameters by name.
        names_traces: whether an expression has named `of_traces`.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.names_traces = False

    def of(self, expression: tree.Expression) -> str:
        """Returns an expression as SQL.

        Raises:
            QuerySyntaxError: of what has no answer here.
        """
        if isinstance(expression, tree.Constant):
            return self._constant(expression)
        if isinstance(expression, tree.Field):
            return field_sql(expression)
        if isinstance(expression, tree.Comparison):
            return self._comparison(expression)
        return self._combined(expression)

    def condition(self, expression: tree.Expression | None) -> str:
        """Returns an expression as a condition: a field alone holds where it is true, and none at all always.

        Raises:
            QuerySyntaxError: of what has no answer here.
        """
        if expression is None:
            return "true"
        if isinstance(expression, tree.Field):
            return f"({self.of(expression)} = true)"
        return self.of(expression)

    def _combined(self, expression: tree.Joined | tree.Negated | tree.Arithmetic) -> str:
        if isinstance(expression, tree.Joined):
            return _balanced(
                _WORDS[expression.operator], [self.condition(part) for part in expression.parts]
            )
        if isinstance(expression, tree.Negated) and expression.operator == "!":
            # What a span has not is not so.
            return f"(NOT coalesce({self.condition(expression.operand)}, false))"
        if isinstance(expression, tree.Negated):
            return f"(-{self.of(expression.operand)})"
        left, right = self.of(expression.left), self.of(expression.right)
        if expression.operator == "^":
            return f"pow({left}, {right})"
        return f"({left} {expression.operator} {right})"

    def _constant(self, constant: tree.Constant) -> str:
        if constant.value is None:
            return "NULL"
        name = f"v{len(self.values)}"
        self.values[name] = constant.value
        return f"${name}"

    def _comparison(self, comparison: tree.Comparison) -> str:
        fields = [
            side for side in (comparison.left, comparison.right) if isinstance(side, tree.Field)
        ]
        if any(field.scope == tree.INTRINSIC and field.key in NESTED for field in fields):
            return _of_root(comparison)
        if any(field.key in TRACE_COLUMNS for field in fields if field.scope == tree.INTRINSIC):
            return self._of_trace(comparison)
        listed = {list_of(field) for field in fields} - {None}
        if not listed:
            return self._compared(
                comparison.operator, self.of(comparison.left), self.of(comparison.right), comparison
            )
        if len(listed) > 1:
            raise QuerySyntaxError(
                "cannot compare events with links; compare each with a value of its own"
            )
        left, right = self._in_item(comparison.left), self._in_item(comparison.right)
        condition = self._compared(comparison.operator, left, right, comparison)
        return f"len(list_filter({listed.pop()}, lambda item: {condition})) > 0"

    def _in_item(self, side: tree.Expression) -> str:
        """Returns an expression in which an item of a list is `item`."""
        if isinstance(side, tree.Field) and list_of(side) is not None:
            return _of_item(side)
        return self.of(side)

    def _of_trace(self, comparison: tree.Comparison) -> str:
        sides = [
            TRACE_COLUMNS[side.key]
            if isinstance(side, tree.Field) and side.key in TRACE_COLUMNS
            else self._trace_bound(side)
            for side in (comparison.left, comparison.right)
        ]
        self.names_traces = True
        condition = self._compared(comparison.operator, sides[0], sides[1], comparison)
        return f"trace_id IN (SELECT trace_id FROM {OF_TRACES} WHERE {condition})"

    def _trace_bound(self, side: tree.Expression) -> str:
        if isinstance(side, tree.Constant):
            return self.of(side)
        raise QuerySyntaxError(
            "cannot compare a whole trace with a field; compare traceDuration, rootName and rootServiceName with values"
        )

    def _compared(self, operator: str, left: str, right: str, comparison: tree.Comparison) -> str:
        if "NULL" in {left, right}:
            return f"({right if left == 'NULL' else left} IS {'NOT ' * (operator != '=')}NULL)"
        if operator in {"=~", "!~"}:
            if not isinstance(comparison.right, tree.Constant) or comparison.right.kind != "text":
                raise QuerySyntaxError(
                    f"cannot read TraceQL: what stands behind {operator} is a text of a regular expression"
                )
            word = "NOT " if operator == "!~" else ""
            return f"{word}regexp_full_match({left}, {right})"
        return f"{_stored(left, comparison.right, operator)} {_OPERATORS[operator]} {right}"


def _balanced(word: str, parts: list[str]) -> str:
    """Returns conditions joined as a low tree: a statement may have a few hundred levels."""
    while len(parts) > 1:
        pairs = [parts[at : at + 2] for at in range(0, len(parts), 2)]
        parts = [f"({word.join(pair)})" for pair in pairs]
    return parts[0]


def _stored(left: str, right: tree.Expression, operator: str) -> str:
    """Returns the plain column where no row without a value can meet the condition: segments are pruned by it."""
    told = isinstance(right, tree.Constant) and right.value not in {"UNSET", "UNSPECIFIED"}
    if operator == "=" and told:
        return {STATUS: "status_code", KIND: "upper(kind)"}.get(left, left)
    return left


def _of_root(comparison: tree.Comparison) -> str:
    """Returns whether a span is a root: the one thing that is told of numbers of nested sets before spans are read."""
    left, right = comparison.left, comparison.right
    named = isinstance(left, tree.Field) and left.key == "nestedSetParent"
    asked = (
        (comparison.operator, right.value) if named and isinstance(right, tree.Constant) else None
    )
    if asked in _ROOTS:
        return "is_root"
    if asked in _INNER:
        return "NOT is_root"
    raise QuerySyntaxError(
        "cannot compare nestedSetParent so; nestedSetParent < 0 finds roots, > 0 all other spans"
    )


def list_of(field: tree.Field) -> str | None:
    """Returns the list of a span that a field is in, None for a field of the span itself."""
    if field.scope == tree.INTRINSIC:
        return _ITEMS[field.key][0] if field.key in _ITEMS else None
    return _LISTS.get(field.scope)


def _of_item(field: tree.Field) -> str:
    """Returns a field of an event or link as SQL in which that is `item`."""
    known = _ITEMS.get(field.key) if field.scope == tree.INTRINSIC else None
    return known[1] if known else attribute_path("item.attributes", field.key)


def values_sql(field: tree.Field) -> str:
    """Returns the values of a field as SQL: of an event or link one row for each of a span.

    Raises:
        QuerySyntaxError: where it is none.
    """
    listed = list_of(field)
    if listed is None:
        return field_sql(field)
    return f"unnest(list_transform({listed}, lambda item: {_of_item(field)}))"


def shown_sql(field: tree.Field) -> str:
    """Returns the value of a field that is shown of a span: of several events or links, the first that has one.

    Raises:
        QuerySyntaxError: where it is none.
    """
    listed = list_of(field)
    if listed is None:
        return field_sql(field)
    values = f"list_transform({listed}, lambda item: {_of_item(field)})"
    return f"list_extract(list_filter({values}, lambda value: value IS NOT NULL), 1)"


def field_sql(field: tree.Field) -> str:
    """Returns a field of a span as SQL.

    Raises:
        QuerySyntaxError: where it is none.
    """
    if field.scope == tree.INTRINSIC:
        if field.key in COLUMNS:
            return COLUMNS[field.key]
    elif field.key == "service.name" and field.scope in {"resource", "any"}:
        return "service"
    elif field.scope == "any":
        own, inherited = (attribute_path(name, field.key) for name in ("attributes", "resource"))
        return f"coalesce({own}, {inherited})"
    elif field.scope in {"span", "resource", "instrumentation"}:
        column = {"span": "attributes", "instrumentation": "scope"}.get(field.scope, "resource")
        return attribute_path(column, field.key)
    raise QuerySyntaxError(
        f"cannot read {field.text} here; the guide's page on Tempo lists the fields of a span"
    )
