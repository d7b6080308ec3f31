"""From a tree over tables and paths to a tree over scans and leaves.

Names are looked up in this order, first in the SELECT they stand in, then outwards: an alias or name of a
table before a dot; a column of a table or subquery; an alias of the select list. In ORDER BY an alias of the
select list comes first. What a path means by its type is in `values`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from tracestore_query.bind import json_values, late_materialization
from tracestore_query.bind.bind_state import Binding
from tracestore_query.bind.expected_type import (
    BARE,
    Use,
    Want,
    common,
    want_of,
    want_of_parameter,
    want_of_type,
)
from tracestore_query.bind.from_clause import Sources, cte_of, pivot_over_subquery
from tracestore_query.bind.path_values import PathValues
from tracestore_query.bind.scopes import (
    Found,
    Output,
    Scope,
    Source,
    is_open,
    known_columns,
    look_up,
)
from tracestore_query.bind.star_expansion import expand_stars
from tracestore_query.bind.text_search import match_expression
from tracestore_query.errors import QueryForbiddenError, UnknownNameError
from tracestore_query.language.allow_list import nearest
from tracestore_query.language.dialect import generate
from tracestore_query.language.parameters import value_of
from tracestore_query.language.path_syntax import Step, is_chain_end, name_of, steps_of
from tracestore_query.plan.plan import BoundQuery

MAX_DEPTH = 100
"""Subqueries inside one another; the binder recurses."""

_WANT = "tracestore.want"
"""The key of a chain's use in its node's meta."""

_ORDER_KEYS = ("order", "limit", "offset")
_PLACEHOLDERS = (exp.Placeholder, exp.Parameter)


@dataclass(slots=True)
class _Aliases:
    """Is what names of the select list mean in the clauses around it: the chain each stands for, if any."""

    chains: dict[str, exp.Expr | None] = field(default_factory=dict)
    first: bool = False

    def with_names(self, names: list[str]) -> _Aliases:
        """Returns the same with names of a lambda, which stand for no chain."""
        return _Aliases({**self.chains, **dict.fromkeys(names)}, first=True)


class Binder:
    """Binds one query."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._paths = PathValues(binding)
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
        if isinstance(tree, exp.Pivot):
            pivot_over_subquery(tree)
            self.query(tree.this, Scope())
        else:
            self.query(tree, Scope())
        for items in binding.items:
            items.take_as_text()
        return binding.freeze(tree)

    # --- queries ------------------------------------------------------------------------------------

    def query(self, node: exp.Expr, outer: Scope) -> Scope | None:
        """Binds a SELECT, a set operation or a subquery; returns the scope of a plain SELECT."""
        if outer.depth > MAX_DEPTH:
            raise QueryForbiddenError(
                f"cannot run query: more than {MAX_DEPTH} subqueries inside one another"
            )
        if isinstance(node, exp.Select):
            return self._select(node, outer)
        if isinstance(node, exp.Subquery):
            scope = self._with(node, outer)
            bound = self.query(node.this, scope)
            self._order_keys(node, scope)
            return bound
        if isinstance(node, exp.SetOperation):
            scope = self._with(node, outer)
            self.query(node.left, scope)
            self.query(node.right, scope)
            self._order_keys(node, scope)
            return None
        if isinstance(node, exp.Pivot):
            pivot_over_subquery(node)
            return self.query(node.this, outer.inner())
        if isinstance(node, exp.Values):
            self._clause_of_values(node, outer)
            return None
        raise QueryForbiddenError(f"cannot run query: {node.key.upper()} is not allowed here")

    def _clause_of_values(self, node: exp.Values, scope: Scope) -> None:
        for each in node.expressions:
            self._clause(each, scope, _Aliases())

    def _order_keys(self, node: exp.Expr, scope: Scope) -> None:
        """Binds the subqueries in ORDER BY and LIMIT around a whole query; its columns have no paths."""
        for key in _ORDER_KEYS:
            for each in node.args[key].find_all(exp.Query) if node.args.get(key) else ():
                self.query(each, scope.inner())

    def _with(self, node: exp.Expr, outer: Scope) -> Scope:
        scope = outer.inner()
        with_ = node.args.get("with_")
        if with_ is None:
            return scope
        for cte in with_.expressions:
            name = cte.alias.lower()
            if with_.args.get("recursive"):
                scope.ctes[name] = cte_of(cte, None)
            inner = self.query(cte.this, scope)
            scope.ctes[name] = cte_of(cte, inner)
        return scope

    def _select(self, select: exp.Select, outer: Scope) -> Scope:
        scope = self._with(select, outer)
        self._sources.from_clause(select, scope)
        complete = expand_stars(select, scope)
        names = [_output_name(each) for each in select.expressions]
        outputs = self._outputs(select, scope, names)
        if select is self._root:
            late_materialization.take_out(select, scope, self._binding, self._paths)
        aliases = _Aliases(
            {
                each.alias.lower(): each.this.copy() if _is_chain(each.this) else None
                for each in select.expressions
                if isinstance(each, exp.Alias)
            }
        )
        for key, value in list(select.args.items()):
            if key in {"with_", "from_", "laterals"} or value is None:
                continue
            named = _Aliases(aliases.chains, first=key in {"order", "group"})
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, exp.Expr):
                    self._clause(each, scope, named)
        for each, name in zip(list(select.expressions), names, strict=True):
            if name and not isinstance(each, exp.Alias | exp.Star) and _output_name(each) != name:
                each.replace(exp.alias_(each.copy(), name, quoted=True))
        scope.outputs = outputs if complete and _can_grow(select) else None
        if complete and scope.outputs is None and outputs is not None:
            scope.outputs = {name: Output(json=each.json) for name, each in outputs.items()}
        return scope

    def _outputs(
        self, select: exp.Select, scope: Scope, names: list[str]
    ) -> dict[str, Output] | None:
        """Returns the columns a SELECT gives, None where two have one name or one has none."""
        found: dict[str, Output] = {}
        for each, name in zip(select.expressions, names, strict=True):
            shown = name or each.alias_or_name
            if not shown or shown.lower() in found:
                return None
            value = each.unalias()
            steps = steps_of(value) if _is_chain(value) else None
            chain = look_up(scope, steps) if steps else None
            found[shown.lower()] = self._output(value, chain, scope)
        return found

    def _output(self, value: exp.Expr, chain: Found | None, scope: Scope) -> Output:
        if chain is None:
            return Output(json=self.gives_json(value, scope))
        source, steps = chain.source, chain.steps
        if source.spec is not None and steps[0].text in source.spec.variants:
            return Output(origin=(source, steps), json=self._chain_is_json(chain))
        inner = (source.outputs or {}).get(steps[0].text)
        if inner is not None and inner.origin is not None:
            return Output(origin=(source, steps), json=self._chain_is_json(chain))
        return Output(json=inner is not None and inner.json)

    # --- expressions ----------------------------------------------------------------------------------

    def expressions(self, node: exp.Expr, scope: Scope, *, want: Want | None = None) -> None:
        """Binds every chain below a node, and every subquery as a query of its own."""
        if want is not None and is_chain_end(node):
            node.meta[_WANT] = want
        self._clause(node, scope, _Aliases())

    def gives_json(self, node: exp.Expr, scope: Scope) -> bool:
        """Tells whether a value is JSON, or a list of JSON whose items it gives."""
        if isinstance(node, exp.Explode | exp.Unnest):
            inner = node.this if isinstance(node, exp.Explode) else node.expressions[0]
            return self.gives_json(inner, scope)
        steps = steps_of(node) if _is_chain(node) else None
        chain = look_up(scope, steps) if steps else None
        return chain is not None and self._chain_is_json(chain, items=True)

    def _chain_is_json(self, chain: Found, *, items: bool = False) -> bool:
        source, steps = self._origin(chain)
        if source.scan is None or source.spec is None:
            inner = (source.outputs or {}).get(steps[0].text)
            return inner is not None and inner.json
        if steps[0].text not in source.spec.variants:
            return False
        kinds = self._paths.leaf_types(source.scan, steps)
        return self._paths.is_json(source.scan, steps) or (items and "json[]" in kinds)

    def _origin(self, chain: Found) -> tuple[Source, list[Step]]:
        """Returns the innermost source of a chain, and the path from there."""
        source, steps = chain.source, chain.steps
        while source.scan is None:
            output = (source.outputs or {}).get(steps[0].text)
            if output is None or output.origin is None:
                break
            inner, before = output.origin
            source, steps = inner, [*before, *steps[1:]]
        return source, steps

    def _clause(self, node: exp.Expr, scope: Scope, aliases: _Aliases) -> None:
        """Binds an expression. The uses of its chains are found before any of them is replaced."""
        for each in list(node.walk(prune=lambda inner: isinstance(inner, exp.Query))):
            if _is_chain(each) and is_chain_end(each) and _WANT not in each.meta:
                each.meta[_WANT] = want_of(each, lambda value, path: self._kind(value, path, scope))
        self._bind(node, scope, aliases)

    def _bind(self, node: exp.Expr, scope: Scope, aliases: _Aliases) -> None:
        if isinstance(node, exp.Query):
            self.query(node, scope.inner())
        elif isinstance(node, exp.Join):
            # What is joined is a source, and bound as such.
            if node.args.get("on") is not None:
                self._bind(node.args["on"], scope, aliases)
        elif isinstance(node, exp.Column) and node.name.startswith("__"):
            return  # Ours: users' names cannot begin so.
        elif _is_chain(node) and is_chain_end(node):
            self._chain(node, scope, aliases)
        elif isinstance(node, exp.Anonymous) and str(node.this).lower() in {"match", "search"}:
            found = match_expression(node, [each for each in scope.sources.values() if each.scan])
            node.replace(found)
            self._clause(found, scope, aliases)
        else:
            if isinstance(node, exp.Lambda):
                aliases = aliases.with_names([each.name.lower() for each in node.expressions])
            elif isinstance(node, exp.Comprehension):
                aliases = aliases.with_names([node.expression.name.lower()])
            for child in list(node.iter_expressions()):
                self._bind(child, scope, aliases)

    def _kind(self, value: exp.Expr, path: exp.Expr, scope: Scope) -> Want | None:
        """Returns what a path must be beside a name or a parameter."""
        if isinstance(value, _PLACEHOLDERS):
            return want_of_parameter(value_of(value))
        if not _is_chain(value):
            return None
        kinds = self._kinds(value, scope)
        if kinds is None or isinstance(kinds, Want):
            return kinds or BARE
        own = self._kinds(path, scope)
        ordered = isinstance(path.parent, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.Between)
        return common(own, kinds, ordered=ordered) if isinstance(own, list) else BARE

    def _kinds(self, node: exp.Expr, scope: Scope) -> Want | list[str] | None:
        """Returns a chain's leaf types, or for a column how a path is compared with it."""
        steps = steps_of(node)
        if not steps or any(step.text.startswith("__") for step in steps):
            return None
        chain = look_up(scope, steps)
        if chain is None:
            return None
        source, steps = self._origin(chain)
        if source.scan is None or source.spec is None:
            return None
        name = steps[0].text
        if name in source.spec.columns:
            return want_of_type(_sql_type(str(source.spec.columns[name])))
        return self._paths.leaf_types(source.scan, steps)

    # --- chains ---------------------------------------------------------------------------------------

    def _chain(self, node: exp.Expr, scope: Scope, aliases: _Aliases) -> None:
        steps = steps_of(node) or []
        name = steps[0].text.lower()
        if aliases.first and len(steps) == 1 and name in aliases.chains:
            return
        chain = look_up(scope, steps)
        want: Want = node.meta.get(_WANT, BARE)
        if chain is not None:
            own = any(source is chain.source for source in scope.sources.values())
            self._bound(node, chain, want, own=own)
        elif len(steps) == 1 and name in aliases.chains:
            meant = aliases.chains[name]
            if meant is not None and want.use is not Use.BARE:
                # The alias of a path is that path: it takes the use of the place where it stands.
                copy = meant.copy()
                copy.meta[_WANT] = want
                node.replace(copy)
                self._chain(copy, scope, _Aliases())
        elif (
            not is_open(scope, name) and isinstance(node, exp.Column) and name not in aliases.chains
        ):
            known = known_columns(scope)
            if known:
                raise UnknownNameError(
                    f"cannot run query: unknown column {steps[0].text}{nearest(name, known)}"
                )

    def _bound(self, node: exp.Expr, chain: Found, want: Want, *, own: bool) -> None:
        source, steps = chain.source, chain.steps
        name = steps[0].text
        if source.scan is None or source.spec is None:
            self._through(node, chain, want)
            return
        if name in source.spec.variants:
            set_there = own and not source.nullable and _must_be_set(node)
            value = self._paths.value(source.alias, source.scan, steps, want, must_be_set=set_there)
            _put(node, value, want)
            return
        if len(steps) > 1:
            raise UnknownNameError(
                f"cannot run query: column {name} of {source.spec.name} has no fields"
            )
        source.scan.fixed_columns[name] = None
        if not chain.merged:
            node.replace(exp.column(name, table=source.alias, quoted=True))

    def _through(self, node: exp.Expr, chain: Found, want: Want) -> None:
        """Binds a path into a column of a subquery: as one more column of it, or inside its JSON."""
        source, steps = chain.source, chain.steps
        output = (source.outputs or {}).get(steps[0].text)
        if output is not None and output.items is not None and len(steps) == 1:
            output.items.whole = True
        if output is None or (len(steps) == 1 and want.use is Use.BARE):
            return
        if output.origin is not None and source.select is not None:
            passed = self._column_through(source, steps, want)
            if passed is not None:
                _put(node, passed, want)
                return
        if output.json and (len(steps) > 1 or want.use in _JSON_USES):
            column = exp.column(steps[0].text, table=source.alias, quoted=True)
            is_text = output.items is not None and len(steps) > 1
            whole = column if is_text else exp.cast(column, "JSON")
            if want.use is Use.PRESENT:
                want = Want(Use.PRESENT)
            _put(node, json_values.of_use(json_values.at(whole, steps[1:]), want), want)

    def _column_through(self, source: Source, steps: list[Step], want: Want) -> exp.Expr | None:
        """Returns a column that a subquery gives for a path, made for its use."""
        output = (source.outputs or {}).get(steps[0].text)
        if output is None or output.origin is None or source.select is None:
            return None
        inner, before = output.origin
        path = [*before, *steps[1:]]
        if inner.scan is None:
            value = self._column_through(inner, path, want)
        else:
            value = self._paths.value(inner.alias, inner.scan, path, want)
        if value is None:
            return None
        name = self._binding.name("path")
        source.select.append("expressions", exp.alias_(value, name, quoted=True))
        return exp.column(name, table=source.alias, quoted=True)


_JSON_USES = frozenset({Use.NUMBER, Use.TEXT, Use.BOOL, Use.LIST, Use.TYPEOF, Use.AS_TYPE})


# Not true of a row where what is compared is NULL.
_CONDITIONS = (
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
    *(exp.Between, exp.ILike, exp.In, exp.Like),
)


def _put(node: exp.Expr, value: exp.Expr, want: Want) -> None:
    """Puts a value in a chain's place: for CAST and TYPEOF in the place of the node above."""
    target = node
    if want.use in {Use.CAST, Use.TYPEOF}:
        while isinstance(target.parent, exp.Paren):
            target = target.parent
        if isinstance(target.parent, exp.Cast | exp.Typeof):
            target = target.parent
    target.replace(value)


def _is_chain(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column | exp.Dot | exp.Bracket) and steps_of(node) is not None


def _can_grow(select: exp.Select) -> bool:
    """Tells whether a SELECT may give one more column without changing its rows."""
    if select.args.get("group") or select.args.get("distinct"):
        return False
    return not any(
        each.find(exp.AggFunc) is not None and each.find(exp.Window) is None
        for each in select.expressions
    )


def _must_be_set(node: exp.Expr) -> bool:
    """Tells whether a row can only match where a chain has a value: a condition that all of WHERE hangs on."""
    condition = node.parent
    if isinstance(condition, exp.Is) and isinstance(condition.expression, exp.Null):
        condition = condition.parent
        if not isinstance(condition, exp.Not):
            return False
    elif not isinstance(condition, _CONDITIONS) or node.arg_key not in {"this", "expression"}:
        return False
    above = condition.parent
    while isinstance(above, exp.And | exp.Paren):
        above = above.parent
    return isinstance(above, exp.Where) and isinstance(above.parent, exp.Select)


def _output_name(node: exp.Expr) -> str:
    """Returns the name an item of a select list has: its alias, the last name of its chain, or its text."""
    if node.alias:
        return str(node.alias)
    steps = steps_of(node) if _is_chain(node) else None
    if steps:
        return name_of(steps)
    if isinstance(node, exp.Star) or node.find(exp.Column, exp.Dot, exp.Bracket) is None:
        return ""
    return generate(node)


def _sql_type(arrow_type: str) -> exp.DataType:
    if arrow_type.startswith("timestamp"):
        return exp.DataType.build("TIMESTAMPTZ", dialect="duckdb")
    names = {"string": "VARCHAR", "bool": "BOOLEAN"}
    return exp.DataType.build(names.get(arrow_type, "DOUBLE"), dialect="duckdb")
