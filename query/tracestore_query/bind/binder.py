"""From a tree over tables and paths to a tree over scans and leaves: queries, and what names mean in them.

Names are looked up in this order, first in the SELECT they stand in, then outwards: an alias or name of a
table before a dot; a column of a table or subquery; an alias of the select list. Alone in ORDER BY or GROUP BY
an alias of the select list comes first. What a value is where it stands is decided in `expressions`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from tracestore_query.bind import late_materialization, pivots, select_list, using
from tracestore_query.bind.bind_state import Binding
from tracestore_query.bind.chains import Chains, Path, must_be_set
from tracestore_query.bind.from_clause import Sources, cte_of
from tracestore_query.bind.path_values import PathValues
from tracestore_query.bind.scopes import (
    Columns,
    Cte,
    Found,
    Item,
    Output,
    Scope,
    Source,
    known_columns,
    look_up,
)
from tracestore_query.bind.scopes import (
    is_open as may_come_from_elsewhere,
)
from tracestore_query.bind.star_expansion import expand_stars
from tracestore_query.bind.text_search import Search, search_of
from tracestore_query.bind.typed import combined
from tracestore_query.bind.typed.context import INDEXES_OF_QUERY, Context
from tracestore_query.bind.typed.expressions import TypedExpressions
from tracestore_query.bind.values import tagged_values
from tracestore_query.bind.values.item_columns import ItemLists, Unnested, are_columns_named
from tracestore_query.bind.values.sources import Absent, Bound, Branches, Expression, ItemText
from tracestore_query.bind.values.sources import Source as ValueSource
from tracestore_query.bind.values.types import NULL, is_open, is_wavering, item_type
from tracestore_query.bind.values.uses import AS_VARCHAR, BARE, Use, Want
from tracestore_query.bind.word_conditions import note_words
from tracestore_query.errors import QueryForbiddenError, UnknownNameError
from tracestore_query.language.allow_list import nearest
from tracestore_query.language.path_syntax import Step
from tracestore_query.language.replacement import put_in_place
from tracestore_query.plan.plan import BoundQuery
from tracestore_query.plan.pruning import joins_of

MAX_DEPTH = 100
"""Subqueries inside one another; the binder recurses."""

_ORDER_KEYS = ("order", "limit", "offset")
_CLAUSE_PARTS = (
    *(exp.Ordered, exp.Tuple, exp.Cube, exp.Rollup, exp.GroupingSets),
    *(exp.Window, exp.WindowSpec, exp.Order),
)
_BEFORE = frozenset({"with_", "from_", "laterals", "expressions", "joins"})


class Binder:
    """The binder of one query."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._paths = PathValues(binding)
        self._chains = Chains(binding, self._paths)
        self._expressions = TypedExpressions(self, binding.types)
        self._sources = Sources(binding, self)
        self._root: exp.Expr | None = None

    def bind(self, tree: exp.Expr) -> BoundQuery:
        """Returns a checked tree with its names resolved. The tree itself is changed.

        Raises:
            UnknownNameError: naming the nearest table or column.
            QueryForbiddenError: where the query nests too deeply.
        """
        self._root = tree.unnest() if isinstance(tree, exp.Subquery) else tree
        binding = self._binding
        binding.reads_item_columns = are_columns_named(tree)
        self._as_answer(self.columns(tree, Scope()))
        return binding.freeze(tree)

    def _as_answer(self, columns: Columns) -> None:
        """Takes the columns of the whole query as readers get them."""
        for i, branches in enumerate(columns.bound or ()):
            if all(select_list.is_of_numbers(bound) for bound in branches):
                self._binding.number_columns.add(i)
            for bound in branches:
                select_list.as_answer(bound)

    # --- queries ------------------------------------------------------------------------------------

    def columns(self, node: exp.Expr, outer: Scope) -> Columns:
        """Binds a SELECT, a set operation or a subquery; returns its columns."""
        if outer.depth > MAX_DEPTH:
            raise QueryForbiddenError(
                f"cannot run query: more than {MAX_DEPTH} subqueries inside one another"
            )
        if isinstance(node, exp.Select):
            return self._select(node, outer)
        if isinstance(node, exp.Subquery):
            scope = self._with(node, outer)
            found = self.columns(node.this, scope)
            self._order_keys(node, scope)
            return found
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer)
        if isinstance(node, exp.Pivot):
            pivots.read_named(node, outer)
            return self.pivoted(node, self.columns(node.this, outer.inner()), outer)
        if isinstance(node, exp.Values):
            columns = self.rows(node, outer)
            return Columns(bound=[[Bound(node, sql_type)] for sql_type in columns])
        raise QueryForbiddenError(f"cannot run query: {node.key.upper()} is not allowed here")

    def rows(self, node: exp.Values, scope: Scope) -> list[str | None]:
        """Binds rows; returns the types of their columns."""
        context = Context(scope, {})
        rows = [
            [
                self._expressions.bind(each, context)
                for each in (row.expressions if isinstance(row, exp.Tuple) else [row])
            ]
            for row in node.expressions
        ]
        return [
            combined.unify(list(sides), self._expressions.type_of)
            for sides in zip(*rows, strict=False)
        ]

    def _set_operation(self, node: exp.SetOperation, outer: Scope) -> Columns:
        scope = self._with(node, outer)
        left, right = self.columns(node.left, scope), self.columns(node.right, scope)
        self._order_keys(node, scope)
        if left.bound is None or right.bound is None:
            return Columns()
        pairs = select_list.paired(left, right, by_name=bool(node.args.get("by_name")))
        types = self._expressions.type_of
        for sides in pairs:
            self._unify(sides)
        names = list(left.outputs or ())
        if len(names) != len(pairs):
            return Columns(bound=pairs)
        outputs = {
            name: Output(type=types(sides[0])) for name, sides in zip(names, pairs, strict=True)
        }
        return Columns(outputs, None, pairs)

    def _unify(self, sides: list[Bound]) -> None:
        """Brings columns whose values stand below one another to one type."""
        if not any(side.source for side in sides):
            return
        unified = combined.unify(sides, self._expressions.type_of)
        for side in sides:
            side.type = unified
            side.source = (
                Expression(side.node, unified)
                if unified is not None and is_wavering(unified)
                else None
            )
            self._expressions.settle(side)

    def _order_keys(self, node: exp.Expr, scope: Scope) -> None:
        """Binds the subqueries in ORDER BY and LIMIT around a whole query; its columns have no paths."""
        for key in _ORDER_KEYS:
            for each in node.args[key].find_all(exp.Query) if node.args.get(key) else ():
                self.columns(each, scope.inner())

    def _with(self, node: exp.Expr, outer: Scope) -> Scope:
        scope = outer.inner()
        with_ = node.args.get("with_")
        if with_ is None:
            return scope
        for cte in with_.expressions:
            name = cte.alias.lower()
            if with_.args.get("recursive"):
                scope.ctes[name] = Cte()
            scope.ctes[name] = cte_of(cte, self.columns(cte.this, scope))
        return scope

    def _select(self, select: exp.Select, outer: Scope) -> Columns:
        scope = self._with(select, outer)
        self._sources.from_clause(select, scope)
        note_words(select, scope, self._binding, self._paths)
        complete = expand_stars(select, scope)
        names = [select_list.name_of_item(each) for each in select.expressions]
        items = select_list.items_of(select)
        origins = [select_list.origin_of(each, scope, self._chains) for each in select.expressions]
        scope.aliases = {
            each.alias.lower(): item
            for each, item in zip(select.expressions, items, strict=True)
            if each.alias
        }
        if select is self._root and self._binding.rebuilds_late:
            select_list.take_out(select, scope, self._binding, self._paths, items)
        select_list.note_grouped(select, scope, items, self._binding.types)
        bound = self._items(select, scope, items)
        self._clauses(select, scope, items)
        select_list.write_out_groups(select, items, self._binding.types)
        select_list.group_by_texts(select, bound)
        select_list.put_names(select, names, bound)
        outputs = select_list.outputs(names, select, bound, origins, self._expressions.type_of)
        if select is self._root and self._binding.row_ids:
            late_materialization.append_row_ids(select, scope)
        can_grow = select_list.can_grow(select, self._binding.types)
        if outputs is not None and not can_grow:
            outputs = {
                name: Output(type=each.type, is_text=each.is_text) for name, each in outputs.items()
            }
        return Columns(
            outputs if complete else None,
            select if complete and can_grow else None,
            [[each] for each in bound] if complete else None,
        )

    def _items(self, select: exp.Select, scope: Scope, items: list[Item]) -> list[Bound]:
        """Binds the items of a select list, as they are."""
        context = Context(scope, {}, "select")
        # Before any is bound, which changes the names in it.
        settled = [select_list.must_settle(select, item) for item in items]
        found = []
        for each, item, is_compared in zip(list(select.expressions), items, settled, strict=True):
            value = each.this if isinstance(each, exp.Alias) else each
            bound = Bound(value) if item.taken_out else self._expressions.bind(value, context)
            if is_compared:
                self._expressions.settle(bound)
            elif isinstance(bound.source, ItemText) and bound.source.other is None:
                bound.put(bound.source.value.copy())
                bound.type, bound.source = bound.source.type, ItemText(bound.node)
            elif bound.source is not None and not is_wavering(bound.source.type):
                bound.take(BARE)
            elif bound.source is not None:
                bound.take(BARE)
                sql_type, kinds = bound.source.type, bound.source.kinds
                known = kinds if is_open(sql_type) else None
                bound.type, bound.source = sql_type, Expression(bound.node, sql_type, known)
            item.open = bound.source is not None
            item.type = bound.type
            found.append(bound)
        return found

    def _clauses(self, select: exp.Select, scope: Scope, items: list[Item]) -> None:
        """Binds the clauses of a SELECT but its FROM and its select list."""
        for join in joins_of(select):
            if join.args.get("on") is not None:
                self._expressions.condition(join.args["on"], Context(scope, {}, "on"))
        select_list.write_out_order(select, scope, items)
        for key, value in list(select.args.items()):
            if key in _BEFORE or value is None:
                continue
            context = Context(scope, {}, key)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, exp.Where | exp.Having | exp.Qualify):
                    self._expressions.condition(each.this, context)
                elif isinstance(each, exp.Expr):
                    self._clause(each, context)

    def _clause(self, node: exp.Expr, context: Context) -> None:
        for child in list(node.iter_expressions()):
            if isinstance(child, _CLAUSE_PARTS):
                self._clause(child, context)
            elif not isinstance(child, exp.Identifier | exp.Literal | exp.Var | exp.Star):
                self._expressions.bare(child, context)

    def pivoted(self, pivot: exp.Pivot, given: Columns, scope: Scope) -> Columns:
        """Binds a PIVOT or UNPIVOT of the columns of its source; returns those that it gives: its rows say which."""
        if given.bound is None or given.outputs is None:
            return Columns()
        on, below = pivots.on_columns(pivot), pivots.unpivoted(pivot)
        columns = dict(zip(given.outputs, given.bound, strict=True))
        if below:
            self._unify([each for name in below for each in columns.get(name, ())])
        for name, branches in columns.items():
            for each in branches:
                if name in on and each.source is not None and is_open(each.source.type):
                    each.take(AS_VARCHAR)
                    each.type, each.source = "VARCHAR", None
                self._expressions.settle(each)
        outputs = {
            name: Output(type=self._expressions.type_of(branches[0]))
            for name, branches in columns.items()
        }
        inner = scope.inner()
        inner.add(Source(self._binding.name("pivoted"), outputs=outputs))
        for node in pivots.computed(pivot):
            self._expressions.bare(node, Context(inner, {}))
            for column in node.find_all(exp.Column):
                column.set("table", None)
        return Columns()

    def unnested(self, node: exp.Expr, scope: Scope) -> Unnested:
        """Binds a list whose items become rows."""
        bound = self._expressions.bind(node, Context(scope, {}))
        if isinstance(bound.source, Absent):
            bound.take(BARE)
            bound.put(tagged_values.null("VARCHAR[]"))
            return Unnested(NULL)
        path = bound.source if isinstance(bound.source, Path) else None
        held = bound.source.lists if bound.source else self._expressions.type_of(bound)
        if bound.source is not None:
            is_list = bound.source.type == held
            bound.take(BARE if is_list else Want(Use.LIST, item=item_type(held or "[]")))
        if held is None or not held.endswith("]"):
            return Unnested(None)
        return Unnested(item_type(held), path.item_lists if path is not None else None)

    # --- names ----------------------------------------------------------------------------------------

    def query(self, node: exp.Expr, context: Context) -> list[Bound] | None:
        """Binds a query inside an expression; returns its columns where each is one value."""
        # A query is a long text, of which an index around it makes several.
        indexes = INDEXES_OF_QUERY if context.indexes else 0
        found = self.columns(node, context.scope.inner(indexes))
        if found.bound is None:
            return None
        return [
            branches[0] if len(branches) == 1 else Branches(branches) for branches in found.bound
        ]

    def item_lists(self, source: ValueSource) -> Callable[[str], ItemLists | None] | None:
        """Returns what gives what is read for a key of a list's items, None where the list is no path."""
        return source.item_lists if isinstance(source, Path) else None

    def searched(self, node: exp.Expr, context: Context) -> Search:
        """Returns what a text search asks for, still to be bound."""
        sources = [each for each in context.scope.sources.values() if each.scan]
        if not isinstance(node, exp.Anonymous):
            raise AssertionError(f"BUG: want a call of match or search; got {node.key}")
        return search_of(node, sources)

    def chain(self, node: exp.Expr, steps: list[Step], context: Context) -> Bound:
        """Returns what a chain of names means."""
        scope: Scope = context.scope
        name = steps[0].text.lower()
        if len(steps) == 1 and name in scope.aliases and _is_alone(node, context):
            return self._alias(node, name, context)
        chain = look_up(scope, steps)
        if chain is not None:
            own = any(source is chain.source for source in scope.sources.values())
            is_required = own and not chain.source.nullable and must_be_set(node)
            key = (chain.source.alias, tuple(chain.steps))
            grouped = own and not context.aggregated and key in scope.grouped
            if chain.others:
                return self._merged(node, chain, context, grouped=grouped)
            return self._chains.bind(node, chain, must_be_set=is_required, grouped=grouped)
        if name in scope.aliases and context.clause != "select":
            return self._alias(node, name, context)
        if (
            not may_come_from_elsewhere(scope, name)
            and isinstance(node, exp.Column)
            and name not in scope.aliases
        ):
            known = known_columns(scope)
            if known:
                raise UnknownNameError(
                    f"cannot run query: unknown column {steps[0].text}{nearest(name, known)}"
                )
        return Bound(node)

    def _merged(self, node: exp.Expr, chain: Found, context: Context, *, grouped: bool) -> Bound:
        """Binds a chain into a column that a FULL JOIN made of several."""
        value = using.first_set(node, chain)
        put_in_place(node, value)
        bound = self._expressions.bind(value, context)
        if grouped and bound.source is not None:
            # Every use of it is made of what rows are grouped by.
            self._expressions.settle(bound)
            sql_type = bound.source.type
            return Bound(bound.node, sql_type, Expression(bound.node, sql_type))
        return bound

    def _alias(self, node: exp.Expr, name: str, context: Context) -> Bound:
        """Binds an alias of the select list: as what it stands for, where its place matters."""
        item = context.scope.aliases[name]
        is_order = context.clause == "order" and _is_alone(node, context)
        if context.clause == "group" or (is_order and not item.taken_out):
            # What ORDER BY and GROUP BY may mean has the form in which values compare.
            put_in_place(node, exp.Literal.number(item.position))
            return Bound(node)
        if not item.open and not item.taken_out:
            return Bound(node, item.type)
        copy = item.written.copy()
        put_in_place(node, copy)
        return self._expressions.bind(copy, Context(context.scope, {}, "select"))


def _is_alone(node: exp.Expr, context: Context) -> bool:
    """Tells whether a name is a whole item of ORDER BY or GROUP BY."""
    if context.clause == "order":
        return isinstance(node.parent, exp.Ordered) and isinstance(node.parent.parent, exp.Order)
    return context.clause == "group" and isinstance(node.parent, exp.Group)
