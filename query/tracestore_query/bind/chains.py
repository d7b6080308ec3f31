"""What a chain of names means: a column, a path of a table, or a path into what a subquery gives."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from tracestore.variant import TABLES
from tracestore_query.bind.bind_state import Binding
from tracestore_query.bind.path_values import PathValues
from tracestore_query.bind.scan_builder import ScanBuilder
from tracestore_query.bind.scopes import Found, Output, Source
from tracestore_query.bind.values import json_values, tagged_values
from tracestore_query.bind.values.item_columns import ItemLists
from tracestore_query.bind.values.leaf_values import Facts
from tracestore_query.bind.values.sources import Absent, Bound, Expression, ItemText
from tracestore_query.bind.values.sources import Source as Values
from tracestore_query.bind.values.types import ITEM, NULL, Kind, is_open
from tracestore_query.bind.values.uses import BARE, VALUE, Want
from tracestore_query.errors import UnknownNameError
from tracestore_query.language.path_syntax import Step
from tracestore_query.language.replacement import put_in_place
from tracestore_query.language.value_macros import VALUE as VALUE_TYPE


class Path(Values):
    """A path of a scan, which reads the leaves that its use needs."""

    def __init__(
        self,
        paths: PathValues,
        alias: str,
        scan: ScanBuilder,
        steps: list[Step],
        facts: Facts,
        must_be_set: bool,
    ) -> None:
        self._paths = paths
        self._alias = alias
        self._scan = scan
        self._steps = steps
        self._facts = facts
        self._must_be_set = must_be_set
        self.type = facts.type
        self.kinds = facts.kinds

    @property
    def numbers(self) -> str:
        """Returns the type of its numbers."""
        return self._facts.numbers

    @property
    def lists(self) -> str:
        """Returns the type of its lists."""
        return self._facts.lists

    def item_lists(self, key: str) -> ItemLists | None:
        """Returns what is read for a key of a list's items, None where these alone are."""
        return self._paths.item_lists(self._alias, self._scan, self._steps, key)

    def convert(self, want: Want) -> exp.Expr:
        """Returns its values for a use."""
        return self._paths.value(
            self._alias, self._scan, self._steps, want, must_be_set=self._must_be_set
        )


@dataclass(slots=True)
class _Grouped(Values):
    """A path that rows are grouped by: every use of it is made of what they are grouped by."""

    path: Path

    @property
    def type(self) -> str:  # type: ignore[override]
        """Returns the type of its bare value."""
        return VALUE_TYPE if is_open(self.path.type) else self.path.type

    @property
    def kinds(self) -> frozenset[Kind]:  # type: ignore[override]
        """Returns the kinds of its values."""
        return self.path.kinds

    def convert(self, want: Want) -> exp.Expr:
        """Returns its values for a use."""
        value = self.path.convert(VALUE if is_open(self.path.type) else BARE)
        return Expression(value, self.type).convert(want)


@dataclass(frozen=True, slots=True)
class _ThroughColumn:
    """A column that was added to a subquery for a path.

    Attributes:
        source: the subquery; held, so that its number stays its own.
        name: of the column.
        type: of its values.
    """

    source: Source
    name: str
    type: str

    def value(self) -> Values:
        """Returns its values."""
        return Expression(exp.column(self.name, table=self.source.alias, quoted=True), self.type)


class Chains:
    """The binder of chains, whose names it looks up."""

    def __init__(self, binding: Binding, paths: PathValues) -> None:
        self._binding = binding
        self._paths = paths
        self._through_columns: dict[tuple[int, tuple[Step, ...]], _ThroughColumn] = {}

    def bind(self, node: exp.Expr, chain: Found, *, must_be_set: bool, grouped: bool) -> Bound:
        """Returns a chain, still to be taken for its use where it is a path."""
        source, steps = chain.source, chain.steps
        if source.scan is None or source.spec is None:
            return self._through(node, chain, grouped=grouped)
        name = steps[0].text
        if name in source.spec.variants:
            path = self.path(source.alias, source.scan, steps, must_be_set=must_be_set)
            if path.type == NULL:
                path.convert(BARE)
                return Bound(node, NULL, Absent())
            return Bound(node, path.type, _Grouped(path) if grouped else path)
        if len(steps) > 1:
            raise UnknownNameError(
                f"cannot run query: column {name} of {source.spec.name} has no fields"
            )
        source.scan.fixed_columns[name] = None
        bound = Bound(node, column_type(source.scan.table, name))
        if not chain.merged:
            bound.put(exp.column(name, table=source.alias, quoted=True))
        return bound

    def path(
        self, alias: str, scan: ScanBuilder, steps: list[Step], *, must_be_set: bool = False
    ) -> Path:
        """Returns a path of a scan."""
        facts = self._paths.facts(scan, steps)
        return Path(self._paths, alias, scan, steps, facts, must_be_set)

    def _through(self, node: exp.Expr, chain: Found, *, grouped: bool) -> Bound:
        """Binds a column of a subquery, or a path into it: as one more column of it, or inside its values."""
        source, steps = chain.source, chain.steps
        output = source.output(steps[0].text)
        if output is None:
            return Bound(node)
        column: exp.Expr = exp.column(steps[0].text, table=source.alias, quoted=True)
        if output.items is not None:
            text = output.items.member(steps[1:])
            if text is not None:
                return Bound(node, text.type, text)
            output.items.read_whole()
        if output.type == NULL:
            return Bound(node, NULL, Absent())
        if len(steps) == 1:
            return _whole(node, column, output, merged=chain.merged, grouped=grouped)
        if output.is_text:
            column = ItemText(column).convert(BARE)
        passed = self._column_through(source, steps) or _inside(column, output.type, steps[1:])
        if passed is not None:
            return Bound(node, passed.type, passed)
        return typed(node, self._member_type(output.type, steps[1:]))

    def _member_type(self, sql_type: str | None, steps: list[Step]) -> str | None:
        """Returns the type of a member of one of the engine's own structs, maps and lists."""
        if sql_type is None:
            return None
        parts = [
            f'."{step.text.replace(chr(34), chr(34) * 2)}"' if step.index is None else "[1]"
            for step in steps
        ]
        return self._binding.types.of(f"(CAST(NULL AS {sql_type})){''.join(parts)}")

    def _column_through(self, source: Source, steps: list[Step]) -> Values | None:
        """Returns a column that a subquery gives for a path."""
        output = source.output(steps[0].text)
        if output is None or output.origin is None or source.select is None:
            return None
        key = (id(source), tuple(steps))
        known = self._through_columns.get(key)
        if known is not None:
            return known.value()
        inner, before = output.origin
        path = [*before, *steps[1:]]
        held: Values | None
        scan = inner.scan
        held = self.path(inner.alias, scan, path) if scan else self._column_through(inner, path)
        if held is None:
            return None
        if held.type == NULL:
            held.convert(BARE)
            return Absent()
        name = self._binding.name("path")
        value = held.convert(BARE)
        source.select.append("expressions", exp.alias_(value, name, quoted=True))
        # One column for every mention: the engine groups by the very column that it selects.
        self._through_columns[key] = added = _ThroughColumn(source, name, held.type)
        return added.value()

    def output(self, source: Source, steps: list[Step]) -> Output | None:
        """Returns what is known of a column that a SELECT gives for a chain: where it comes from."""
        if source.spec is not None and steps[0].text in source.spec.variants:
            return Output(origin=(source, steps))
        inner = source.output(steps[0].text)
        if inner is not None and inner.origin is not None:
            return Output(origin=(source, steps))
        return None


def _whole(
    node: exp.Expr, column: exp.Expr, output: Output, *, merged: bool, grouped: bool
) -> Bound:
    """Binds a column of a subquery."""
    if not merged:
        put_in_place(node, column)
        node = column
    bound = typed(node, output.type, output.kinds)
    if output.is_text:
        bound.source = ItemText(node)
    if grouped and output.type == ITEM and bound.source is not None:
        # What rows are grouped by: every use of it is made of that.
        value = bound.source.convert(VALUE)
        return Bound(node, VALUE_TYPE, Expression(value, VALUE_TYPE, output.kinds))
    return bound


def _inside(column: exp.Expr, sql_type: str | None, steps: list[Step]) -> Values | None:
    """Returns what lies inside values of several kinds, None where the engine has a type for them."""
    if sql_type == ITEM:
        return Expression(json_values.at(column, steps), ITEM)
    if sql_type == VALUE_TYPE:
        return Expression(json_values.at(tagged_values.call("__as_container", column), steps), ITEM)
    return None


def typed(node: exp.Expr, sql_type: str | None, kinds: frozenset[Kind] | None = None) -> Bound:
    """Returns an expression by its type."""
    inside = sql_type
    while inside is not None and inside.endswith("[]"):
        inside = inside[:-2]
    if sql_type is not None and inside is not None and is_open(inside):
        known = kinds if sql_type == VALUE_TYPE else None
        return Bound(node, sql_type, Expression(node, sql_type, known))
    return Bound(node, sql_type)


def column_type(table: str, name: str) -> str:
    """Returns the engine's type of a fixed column."""
    arrow_type = str(TABLES[table].columns[name])
    return _TYPES.get(arrow_type, "TIMESTAMP WITH TIME ZONE")


_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}


# Not true of a row where what is compared is NULL.
_CONDITIONS = (
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
    *(exp.Between, exp.ILike, exp.In, exp.Like),
)


def must_be_set(node: exp.Expr) -> bool:
    """Tells whether a row can only match where a chain has a value: a condition that all of WHERE hangs on."""
    condition = node.parent
    if isinstance(condition, exp.Is) and isinstance(condition.expression, exp.Null):
        condition = condition.parent
        if not isinstance(condition, exp.Not):
            return False
    elif not isinstance(condition, _CONDITIONS) or node.arg_key not in {"this", "expression"}:
        return False
    elif isinstance(condition.expression, exp.All):
        # True of every value where no row is there to compare with.
        return False
    above = condition.parent
    while isinstance(above, exp.And | exp.Paren):
        above = above.parent
    return isinstance(above, exp.Where) and isinstance(above.parent, exp.Select)
