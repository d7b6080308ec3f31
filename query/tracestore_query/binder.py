"""From a tree over tables and paths to a tree over scans and leaves.

Names are looked up in this order, first in the SELECT they stand in, then outwards: an alias or name of a
table before a dot; a column of a table; a column of a subquery or CTE; an alias of the select list. In
ORDER BY an alias of the select list comes first. What a path means by its type is in `values`.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from tracestore.variant import TableSpec
from tracestore_query import values
from tracestore_query.chains import Step, is_chain_end, steps_of
from tracestore_query.contexts import Use, use_of
from tracestore_query.dialect import generate, parse
from tracestore_query.errors import QueryForbiddenError, UnknownNameError
from tracestore_query.guard import TABLE_GENERATORS, nearest
from tracestore_query.plan import Leaf, Plan, Rebuilt, Scan
from tracestore_query.resolve import LeafTypes, Resolved, nearest_paths, resolve
from tracestore_query.tables import CATALOG, FUNCTIONS, STORED, VIEWS, table_function
from tracestore_query.text_search import match_expression

MAX_DEPTH = 100
"""Subqueries inside one another; the binder recurses."""


@dataclass(slots=True)
class Source:
    """Is what an alias stands for: a scan, or a select whose columns pass through it."""

    alias: str
    scan: Scan | None = None
    select: exp.Expression | None = None
    names: frozenset[str] | None = None
    inner: Scope | None = None

    @property
    def spec(self) -> TableSpec | None:
        """Returns the table's columns, None where it is no scan."""
        return STORED[self.scan.table] if self.scan else None


@dataclass(slots=True)
class Scope:
    """Is what names mean inside one SELECT."""

    sources: dict[str, Source] = field(default_factory=dict)
    ctes: dict[str, exp.Expression] = field(default_factory=dict)
    outer: Scope | None = None
    depth: int = 0
    bound_ctes: dict[str, Scope] = field(default_factory=dict)
    # Which path each item of the select list is: paths may go on from it outside of the subquery.
    origins: dict[str, tuple[Source, list[Step]]] = field(default_factory=dict)

    def cte(self, name: str) -> tuple[exp.Expression, Scope | None] | None:
        """Returns the CTE of a name, looking outwards."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name], scope.bound_ctes.get(name)
            scope = scope.outer
        return None


@dataclass(slots=True)
class TableData:
    """Is what the binder knows of a table's data: rows by type by path text, and the paths sorted."""

    types: LeafTypes
    paths: list[str]
    null_only: Callable[[str], bool]


class Binder:
    """Binds one query. `data` and `catalog` are asked once for each table named."""

    def __init__(
        self,
        data: Callable[[str], TableData],
        catalog: Callable[[str], pa.Table],
        functions: frozenset[str],
    ) -> None:
        self._data = data
        self._catalog = catalog
        self._functions = functions
        self._nonce = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._root: exp.Expression | None = None
        self.scans: dict[str, Scan] = {}
        self.tables: dict[str, pa.Table] = {}
        self.objects: dict[str, tuple[Scan, tuple[str, ...]]] = {}
        self.object_leaves: dict[str, list[Leaf]] = {}
        self.rebuilt: list[Rebuilt] = []
        self.warnings: list[str] = []

    def bind(self, tree: exp.Expression) -> Plan:
        """Returns the plan of a checked tree.

        Raises:
            UnknownNameError: naming the nearest table or column.
            QueryForbiddenError: where the query nests too deeply.
        """
        self._root = tree
        if isinstance(tree, exp.Pivot):
            _pivot_over_subquery(tree)
            self._query(tree.this, Scope())
        else:
            self._query(tree, Scope())
        return Plan(tree, self.scans, self.rebuilt, list(dict.fromkeys(self.warnings)))

    # --- queries ------------------------------------------------------------------------------------

    def _query(self, node: exp.Expression, outer: Scope) -> Scope | None:
        """Binds a SELECT, a set operation or a subquery; returns the scope of a plain SELECT."""
        if outer.depth > MAX_DEPTH:
            raise QueryForbiddenError(
                f"cannot run query: more than {MAX_DEPTH} subqueries inside one another"
            )
        if isinstance(node, exp.Subquery):
            scope = self._with(node, outer)
            return self._query(node.this, scope)
        if isinstance(node, exp.SetOperation):
            scope = self._with(node, outer)
            self._query(node.left, scope)
            self._query(node.right, scope)
            for key in ("order", "limit", "offset"):
                if node.args.get(key):
                    self._expressions(node.args[key], scope)
            return None
        if isinstance(node, exp.Select):
            return self._select(node, outer)
        if isinstance(node, exp.Values):
            return None
        raise QueryForbiddenError(f"cannot run query: {node.key.upper()} is not allowed here")

    def _with(self, node: exp.Expression, outer: Scope) -> Scope:
        scope = Scope(outer=outer, depth=outer.depth + 1)
        with_ = node.args.get("with_")
        for cte in with_.expressions if with_ else ():
            name = cte.alias.lower()
            if with_.args.get("recursive"):
                scope.ctes[name] = cte.this
            bound = self._query(cte.this, scope)
            scope.ctes[name] = cte.this
            if bound is not None:
                scope.bound_ctes[name] = bound
        return scope

    def _select(self, select: exp.Select, outer: Scope) -> Scope:
        scope = self._with(select, outer)
        from_ = select.args.get("from_")
        if from_ is not None:
            self._source(from_.this, scope)
        for join in select.args.get("joins") or ():
            self._source(join.this, scope)
        for lateral in select.args.get("laterals") or ():
            self._source(lateral, scope)
        self._stars(select, scope)
        names = [_name_of(each) for each in select.expressions]
        self._rebuild_late(select, scope)
        aliases = frozenset(each.alias.lower() for each in select.expressions if each.alias)
        for key, value in list(select.args.items()):
            if key not in {"with_", "from_", "laterals"} and value is not None:
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, exp.Expression):
                        self._expressions(each, scope, aliases=aliases, in_order=key == "order")
        if from_ is not None:
            self._table_expressions(from_.this, scope)
        for each, name in zip(select.expressions, names, strict=True):
            if name and not isinstance(each, exp.Alias | exp.Star) and _name_of(each) != name:
                each.replace(exp.alias_(each.copy(), name, quoted=True))
        return scope

    # --- FROM -----------------------------------------------------------------------------------------

    def _source(self, node: exp.Expression, scope: Scope) -> None:
        if isinstance(node, exp.Table):
            self._table(node, scope)
        elif isinstance(node, exp.Subquery):
            inner = self._query(node, Scope(outer=scope, depth=scope.depth + 1))
            alias = node.alias_or_name.lower() or f"__derived{next(self._numbers)}"
            scope.sources[alias] = Source(alias, select=node.unnest(), inner=inner)
            for join in node.args.get("joins") or ():
                self._source(join.this, scope)
        elif isinstance(node, exp.Lateral):
            inner = None
            if isinstance(node.this, exp.Subquery):
                inner = self._query(node.this, Scope(outer=scope, depth=scope.depth + 1))
            else:
                self._expressions(node.this, scope)
            alias = node.alias_or_name.lower() or f"__lateral{next(self._numbers)}"
            scope.sources[alias] = Source(
                alias, select=node.this, inner=inner, names=_column_aliases(node)
            )
        elif isinstance(node, exp.Unnest):
            for each in node.expressions:
                self._expressions(each, scope, use=Use.LIST)
            alias = node.alias_or_name.lower() or f"__unnest{next(self._numbers)}"
            scope.sources[alias] = Source(alias, names=_column_aliases(node))
        elif isinstance(node, exp.Values):
            alias = node.alias_or_name.lower() or f"__values{next(self._numbers)}"
            scope.sources[alias] = Source(alias, names=_column_aliases(node))
        else:
            raise QueryForbiddenError(
                f"cannot run query: {node.key.upper()} is not allowed in FROM"
            )

    def _table(self, node: exp.Table, scope: Scope) -> None:
        for join in node.args.get("joins") or ():
            self._source(join.this, scope)
        if isinstance(node.this, exp.Func):
            self._function(node, scope)
            return
        name = node.name.lower()
        alias = node.alias_or_name.lower()
        cte = scope.cte(name)
        if cte is not None:
            scope.sources[alias] = Source(alias, select=cte[0], inner=cte[1])
        elif name in STORED:
            self._scan(node, alias, name, None, scope)
        elif name in VIEWS:
            view = parse(VIEWS[name])
            warned = len(self.warnings)
            inner = self._query(view, Scope(depth=scope.depth + 1))
            # A view asks for sums that a store may have no data for.
            del self.warnings[warned:]
            node.replace(
                exp.Subquery(
                    this=view, alias=exp.TableAlias(this=exp.to_identifier(node.alias_or_name))
                )
            )
            scope.sources[alias] = Source(alias, select=view, inner=inner)
        elif name in CATALOG:
            token = self._token()
            self.tables[token] = self._catalog(name)
            _rename(node, token, node.alias_or_name)
            scope.sources[alias] = Source(alias, names=frozenset(self.tables[token].column_names))
        else:
            known = sorted({*STORED, *VIEWS, *CATALOG, *FUNCTIONS})
            raise UnknownNameError(
                f"cannot run query: unknown table {node.name}{nearest(name, known)}"
            )

    def _function(self, node: exp.Table, scope: Scope) -> None:
        call = node.this
        name = (str(call.this) if isinstance(call, exp.Anonymous) else call.sql_name()).lower()
        if name in TABLE_GENERATORS or name in {"explode", "generateseries"}:
            for each in call.expressions:
                self._expressions(
                    each, scope, use=Use.LIST if name in {"unnest", "explode"} else None
                )
            alias = node.alias_or_name.lower() or name
            scope.sources[alias] = Source(alias, names=_column_aliases(node))
            return
        if name not in FUNCTIONS:
            known = sorted({*FUNCTIONS, *TABLE_GENERATORS})
            raise UnknownNameError(
                f"cannot run query: unknown table function {name}(){nearest(name, known)}"
            )
        alias = node.alias or name
        self._scan(node, alias.lower(), "spans", table_function(name, call.expressions), scope)

    def _scan(
        self, node: exp.Table, alias: str, table: str, predicate: str | None, scope: Scope
    ) -> None:
        scan = Scan(self._token(), table, predicate=predicate)
        self.scans[scan.token] = scan
        _rename(node, scan.token, node.alias or alias)
        if alias in scope.sources:
            raise UnknownNameError(
                f"cannot run query: table {alias} is named twice; give one an alias"
            )
        scope.sources[alias] = Source(alias, scan=scan)

    def _token(self) -> str:
        return f"__scan_{self._nonce}_{next(self._numbers)}"

    def _table_expressions(self, node: exp.Expression, scope: Scope) -> None:
        """Binds what hangs below a table in FROM and is no source of its own: pivots, samples."""
        for key in ("pivots", "sample"):
            value = node.args.get(key)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, exp.Expression):
                    self._expressions(each, scope)

    # --- stars ----------------------------------------------------------------------------------------

    def _stars(self, select: exp.Select, scope: Scope) -> None:
        """Writes `*` and `alias.*` out where a scan is among what they stand for."""
        if not any(source.scan for source in scope.sources.values()):
            return
        listed: list[exp.Expression] = []
        for each in select.expressions:
            star, alias = _star(each)
            if star is None:
                listed.append(each)
                continue
            sources = scope.sources.values() if alias is None else [self._named(alias, scope)]
            for source in sources:
                listed += self._star_of(source, star)
        select.set("expressions", listed)

    def _named(self, alias: str, scope: Scope) -> Source:
        found = scope.sources.get(alias.lower())
        if found is None:
            raise UnknownNameError(
                f"cannot run query: unknown table {alias}{nearest(alias, list(scope.sources))}"
            )
        return found

    def _star_of(self, source: Source, star: exp.Star) -> list[exp.Expression]:
        except_ = {each.name.lower() for each in star.args.get("except_") or ()}
        replace = {each.alias.lower(): each for each in star.args.get("replace") or ()}
        if source.spec is None:
            copy = star.copy()
            return [exp.Column(this=copy, table=exp.to_identifier(source.alias, quoted=True))]
        listed: list[exp.Expression] = []
        for name in (*source.spec.columns, *source.spec.variants):
            if name in except_:
                continue
            if name in replace:
                listed.append(replace[name].copy())
            else:
                listed.append(exp.column(name, table=source.alias))
        return listed

    # --- expressions ----------------------------------------------------------------------------------

    def _expressions(
        self,
        node: exp.Expression,
        scope: Scope,
        *,
        aliases: frozenset[str] = frozenset(),
        in_order: bool = False,
        use: Use | None = None,
    ) -> None:
        """Binds every chain below a node, and every subquery as a query of its own."""
        if isinstance(node, exp.Query):
            self._query(node, Scope(outer=scope, depth=scope.depth + 1))
            return
        if isinstance(node, exp.Join):
            # What is joined is a source, and bound as such.
            if node.args.get("on"):
                self._expressions(node.args["on"], scope, aliases=aliases)
            return
        if isinstance(node, exp.Column) and node.name.startswith("__"):
            # Ours: users' names cannot begin so.
            return
        if is_chain_end(node) and not isinstance(node.this, exp.Star):
            steps = steps_of(node)
            if steps is not None:
                self._chain(node, steps, scope, aliases, in_order=in_order, use=use)
                return
        if isinstance(node, exp.Anonymous) and str(node.this).lower() in {"match", "search"}:
            self._search(node, scope, aliases)
            return
        local = aliases
        if isinstance(node, exp.Lambda):
            local = aliases | {each.name.lower() for each in node.expressions}
        for child in list(node.iter_expressions()):
            self._expressions(child, scope, aliases=local, in_order=in_order)

    def _search(self, node: exp.Anonymous, scope: Scope, aliases: frozenset[str]) -> None:
        """Binds `match(path_or_table, 'words')` and `search('words')`."""
        found = match_expression(node, [source for source in scope.sources.values() if source.scan])
        replaced = found
        node.replace(replaced)
        self._expressions(replaced, scope, aliases=aliases)

    def _chain(
        self,
        node: exp.Expression,
        steps: list[Step],
        scope: Scope,
        aliases: frozenset[str],
        *,
        in_order: bool,
        use: Use | None,
    ) -> None:
        name = steps[0].text.lower()
        if in_order and len(steps) == 1 and name in aliases:
            return
        at: Scope | None = scope
        while at is not None:
            found = _lookup(at, steps)
            if found is not None:
                self._bound(node, found[0], found[1], use or use_of(node))
                return
            at = at.outer
        if name in aliases or isinstance(node, exp.Column) and _opaque(scope, steps):
            return
        known = [
            column
            for source in scope.sources.values()
            if source.spec
            for column in (*source.spec.columns, *source.spec.variants)
        ]
        if known and len(steps) == 1 and isinstance(node, exp.Column):
            raise UnknownNameError(
                f"cannot run query: unknown column {steps[0].text}{nearest(name, known)}"
            )

    def _bound(self, node: exp.Expression, source: Source, steps: list[Step], use: Use) -> None:
        if source.scan is None:
            self._through(node, source, steps, use)
            return
        name = steps[0].text.lower()
        spec = STORED[source.scan.table]
        if name in spec.columns:
            if len(steps) > 1:
                raise UnknownNameError(
                    f"cannot run query: column {name} of {spec.name} has no fields"
                )
            source.scan.fixed[name] = None
            node.replace(exp.column(name, table=source.alias, quoted=True))
            return
        value = self._value(node, source.alias, source.scan, [Step(name), *steps[1:]], use)
        if value is not None:
            node.replace(value)

    def _value(
        self, node: exp.Expression, alias: str, scan: Scan, steps: list[Step], use: Use
    ) -> exp.Expression | None:
        """Returns the expression of a path for its use; None where it has replaced the node above."""
        data = self._data(scan.table)
        found = resolve(steps, data.types, data.paths)
        if found.absent and len(steps) > 1:
            self._absent(scan, steps, data)
        columns: dict[str, exp.Expression] = {}
        if found.leaves and not found.below and _must_be_set(node):
            scan.required.append(found.leaves)
        for path, leaf_type in found.leaves:
            if leaf_type == "json" and len(found.leaves) > 1 and data.null_only(path):
                continue
            column: exp.Expression = exp.column(
                scan.leaf(path, leaf_type), table=alias, quoted=True
            )
            # The flat key and the nested object are one column to the reader.
            if leaf_type in columns:
                column = exp.Coalesce(this=columns[leaf_type], expressions=[column])
            columns[leaf_type] = column
        if found.inner:
            return self._inside(node, columns, found, use)
        if found.below:
            return self._object(node, alias, scan, found, columns, use)
        return _of_use(node, columns, use)

    def _inside(
        self, node: exp.Expression, columns: dict[str, exp.Expression], found: Resolved, use: Use
    ) -> exp.Expression:
        as_text = use in {Use.TEXT, Use.NUMBER, Use.BOOL}
        single = len(columns) == 1 and "json[]" not in columns and len(found.inner) == 1
        value = values.inside(columns, found.inner, as_text=as_text and not single)
        if use is Use.CAST and isinstance(node.parent, exp.Cast):
            value = values.inside(columns, found.inner, as_text=not single)
            node.parent.replace(exp.TryCast(this=node.parent.this, to=node.parent.to))
        elif use is Use.NUMBER and not single:
            value = exp.TryCast(this=value, to=exp.DataType.build("DOUBLE"))
        elif use is Use.BOOL and not single:
            value = exp.TryCast(this=value, to=exp.DataType.build("BOOLEAN"))
        elif use is Use.LIST and not single:
            value = exp.TryCast(this=value, to=exp.DataType.build("JSON[]", dialect="duckdb"))
        elif use is Use.PRESENT:
            value = exp.Nullif(
                this=values.inside(columns, found.inner, as_text=True),
                expression=exp.Literal.string("null"),
            )
        return value

    def _object(
        self,
        node: exp.Expression,
        alias: str,
        scan: Scan,
        found: Resolved,
        columns: dict[str, exp.Expression],
        use: Use,
    ) -> exp.Expression | None:
        """Returns an object, rebuilt inside the engine for every row it is asked for."""
        if use in {Use.NUMBER, Use.TEXT, Use.BOOL} and columns:
            return _of_use(node, columns, use)
        key = f"__object_{self._nonce}_{next(self._numbers)}"
        self.objects[key] = (scan, found.keys)
        fields = [
            exp.PropertyEQ(
                this=exp.to_identifier("_overflow", quoted=True), expression=_overflow(scan, alias)
            )
        ]
        data = self._data(scan.table)
        leaves = self.object_leaves.setdefault(key, [])
        for path in (*dict.fromkeys(path for path, _ in found.leaves), *found.below):
            for leaf_type in data.types[path]:
                leaves.append((path, leaf_type))
                column = exp.column(scan.part(path, leaf_type), table=alias, quoted=True)
                name = exp.to_identifier(f"{path}:{leaf_type}", quoted=True)
                fields.append(exp.PropertyEQ(this=name, expression=column))
        text = exp.Anonymous(this=key, expressions=[exp.Struct(expressions=fields)])
        if use is Use.PRESENT:
            return text
        if use is Use.TYPEOF and isinstance(node.parent, exp.Typeof):
            return exp.Lower(
                this=exp.Anonymous(this="json_type", expressions=[exp.cast(text, "JSON")])
            )
        if (
            use is Use.CAST
            and node.parent is not None
            and node.parent.to.this in exp.DataType.TEXT_TYPES
        ):
            return text
        return exp.cast(text, "JSON")

    def _absent(self, scan: Scan, steps: list[Step], data: TableData) -> None:
        shown = "".join(
            f"[{step.index}]" if step.index is not None else ("." if i else "") + step.text
            for i, step in enumerate(steps)
        )
        near = nearest_paths(steps, data.paths)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        self.warnings.append(f"{scan.table} has no path {shown} in the data read{hint}")

    def _through(self, node: exp.Expression, source: Source, steps: list[Step], use: Use) -> None:
        """Binds a path into a subquery's variant column: the subquery gives the path's value as one more column."""
        if len(steps) == 1 or source.inner is None or not isinstance(source.select, exp.Select):
            return
        select = source.select
        if select.args.get("group") or select.args.get("distinct"):
            return
        origin = source.inner.origins.get(steps[0].text.lower())
        if origin is None or origin[0].scan is None:
            return
        inner, before = origin
        name = f"__path{next(self._numbers)}"
        value = self._value(node, inner.alias, inner.scan, [*before, *steps[1:]], use)
        if value is not None:
            select.append("expressions", exp.alias_(value, name, quoted=True))
            node.replace(exp.column(name, table=source.alias, quoted=True))

    # --- objects in the result ------------------------------------------------------------------------

    def _rebuild_late(self, select: exp.Select, scope: Scope) -> None:
        """Replaces objects in the outermost select list by their rows' places: rebuilt once the result is known."""
        late = (
            select is self._root
            and not select.args.get("distinct")
            and not select.args.get("group")
        )
        late = late and not any(each.find(exp.AggFunc) for each in select.expressions)
        for i, each in enumerate(select.expressions):
            chain = each.this if isinstance(each, exp.Alias) else each
            steps = (
                steps_of(chain) if isinstance(chain, exp.Column | exp.Dot | exp.Bracket) else None
            )
            found = _lookup(scope, steps) if steps else None
            if found is None or found[0].scan is None or found[0].spec is None:
                continue
            source, rest = found
            if rest[0].text.lower() not in source.spec.variants:
                continue
            rest = [Step(rest[0].text.lower()), *rest[1:]]
            if not late:
                scope.origins[_name_of(each).lower()] = (source, rest)
                continue
            data = self._data(source.scan.table)
            resolved = resolve(rest, data.types, data.paths)
            if not resolved.below or resolved.inner:
                continue
            source.scan.rows_wanted = True
            self.rebuilt.append(Rebuilt(i, source.scan, resolved.keys))
            name = each.alias_or_name or steps[-1].text
            place = exp.column("__place", table=source.alias, quoted=True)
            each.replace(exp.alias_(place, name, quoted=True))


def _must_be_set(node: exp.Expression) -> bool:
    """Tells whether a row can only match where a chain has a value: a comparison that all of WHERE hangs on."""
    parent = node.parent
    if not isinstance(
        parent, exp.EQ | exp.GT | exp.GTE | exp.LT | exp.LTE | exp.NEQ | exp.Like | exp.ILike
    ):
        return False
    while isinstance(
        parent,
        exp.And | exp.Paren | exp.EQ | exp.GT | exp.GTE | exp.LT | exp.LTE | exp.NEQ | exp.Like,
    ):
        parent = parent.parent
    select = parent.parent if isinstance(parent, exp.Where) else None
    return isinstance(select, exp.Select) and not any(
        join.side for join in select.args.get("joins") or ()
    )


def _of_use(
    node: exp.Expression, columns: Mapping[str, exp.Expression], use: Use
) -> exp.Expression | None:
    """Returns the value for a use; replaces the node above, and returns None, where the use is that node."""
    if use is Use.CAST and isinstance(node.parent, exp.Cast):
        cast = node.parent
        cast.set("this", values.converted(columns, cast.to))
        return cast.this
    if use is Use.TYPEOF and isinstance(node.parent, exp.Typeof):
        node.parent.replace(values.typeof(columns))
        return None
    by_use = {
        Use.NUMBER: values.number,
        Use.TEXT: values.text,
        Use.BOOL: values.boolean,
        Use.PRESENT: values.present,
        Use.LIST: values.listed,
    }
    return by_use.get(use, values.bare)(columns)


def _lookup(scope: Scope, steps: list[Step]) -> tuple[Source, list[Step]] | None:
    """Returns the source that a chain's first name belongs to, and the steps from its column on."""
    name = steps[0].text.lower()
    if len(steps) > 1 and name in scope.sources:
        source = scope.sources[name]
        if source.spec is None:
            return source, steps[1:]
        column = steps[1].text.lower()
        if column not in source.spec.columns and column not in source.spec.variants:
            known = [*source.spec.columns, *source.spec.variants]
            raise UnknownNameError(
                f"cannot run query: {name} has no column {steps[1].text}{nearest(column, known)}"
            )
        return source, steps[1:]
    owners = [
        source
        for source in scope.sources.values()
        if source.spec is not None and (name in source.spec.columns or name in source.spec.variants)
    ]
    if len(owners) > 1:
        names = ", ".join(owner.alias for owner in owners)
        raise UnknownNameError(
            f"cannot run query: column {name} is in {names}; write which: {owners[0].alias}.{name}"
        )
    if owners:
        return owners[0], steps
    for source in scope.sources.values():
        if isinstance(source.select, exp.Select) and len(steps) > 1:
            outputs = {each.alias_or_name.lower() for each in source.select.expressions}
            if name in outputs:
                return source, steps
    return None


def _opaque(scope: Scope, steps: list[Step]) -> bool:
    """Tells whether a name may come from a source whose columns are not known here."""
    at: Scope | None = scope
    name = steps[0].text.lower()
    while at is not None:
        for source in at.sources.values():
            if source.spec is None and (
                source.names is None or name in source.names or name == source.alias
            ):
                return True
        at = at.outer
    return False


def _name_of(node: exp.Expression) -> str:
    """Returns the name an item of a select list has: its alias, the last name of its chain, or its text."""
    if node.alias:
        return str(node.alias)
    steps = steps_of(node) if isinstance(node, exp.Column | exp.Dot | exp.Bracket) else None
    if steps:
        named = [step.text for step in steps if step.index is None]
        return named[-1]
    if isinstance(node, exp.Star) or not any(
        True for _ in node.find_all(exp.Column, exp.Dot, exp.Bracket)
    ):
        return ""
    return generate(node)


def _star(node: exp.Expression) -> tuple[exp.Star | None, str | None]:
    if isinstance(node, exp.Star):
        return node, None
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
        return node.this, node.table or None
    return None, None


def _rename(node: exp.Table, token: str, alias: str) -> None:
    node.set("this", exp.to_identifier(token, quoted=True))
    table_alias = node.args.get("alias")
    if table_alias is None or not table_alias.this:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _pivot_over_subquery(pivot: exp.Pivot) -> None:
    """Makes PIVOT read a subquery of the columns it names; its other rows are not grouped by what it does not name."""
    if not isinstance(pivot.this, exp.Table):
        return
    chains: dict[str, exp.Expression] = {}
    for part in [*pivot.expressions, *(pivot.args.get("using") or ()), pivot.args.get("group")]:
        for node in list(part.walk()) if part is not None else ():
            if is_chain_end(node) and steps_of(node) and not isinstance(node.this, exp.Star):
                name = _name_of(node)
                chains.setdefault(name, node.copy())
                node.replace(exp.column(name, quoted=True))
    columns = [exp.alias_(chain, name, quoted=True) for name, chain in chains.items()] or [
        exp.Literal.number(1)
    ]
    select = exp.Select(expressions=columns).from_(pivot.this.copy())
    pivot.set("this", exp.Subquery(this=select))


def _column_aliases(node: exp.Expression) -> frozenset[str] | None:
    alias = node.args.get("alias")
    columns = alias.args.get("columns") if alias is not None else None
    return frozenset(column.name.lower() for column in columns) if columns else None


def _overflow(scan: Scan, alias: str) -> exp.Expression:
    scan.fixed["_overflow"] = None
    return exp.column("_overflow", table=alias, quoted=True)
