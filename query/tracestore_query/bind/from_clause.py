"""FROM: what each source of a query is, and which columns it gives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from sqlglot import exp

from tracestore.variant import parse_path
from tracestore_query.bind import pivots, using
from tracestore_query.bind.bind_state import Binding
from tracestore_query.bind.scan_builder import ScanBuilder
from tracestore_query.bind.scopes import Columns, Cte, Output, Scope, Source
from tracestore_query.bind.values.item_columns import META, Unnested, UnnestedItems
from tracestore_query.bind.values.types import ITEM
from tracestore_query.errors import QueryForbiddenError, UnknownNameError
from tracestore_query.language.allow_list import nearest
from tracestore_query.language.allowed_functions import TABLE_GENERATORS
from tracestore_query.language.dialect import generate, parse
from tracestore_query.plan import pruning, top_n
from tracestore_query.plan.pruning import is_in_parentheses
from tracestore_query.plan.scan import EVER
from tracestore_query.tables.catalog import CATALOG
from tracestore_query.tables.functions import FUNCTIONS
from tracestore_query.tables.meaning import StoreFacts, View
from tracestore_query.tables.names import NAMED
from tracestore_query.tables.predicate import Predicate
from tracestore_query.tables.table_nodes import called
from tracestore_query.tables.views import JSON_COLUMNS, VIEWS, view_text


class Queries(Protocol):
    """What binds the subqueries and expressions that sources hold."""

    def columns(self, node: exp.Expr, outer: Scope) -> Columns:
        """Binds a query; returns the columns that it gives."""

    def pivoted(self, pivot: exp.Pivot, given: Columns, scope: Scope) -> Columns:
        """Binds a PIVOT or UNPIVOT of the columns of its source; returns those that it gives."""

    def unnested(self, node: exp.Expr, scope: Scope) -> Unnested:
        """Binds a list whose items become rows."""

    def rows(self, node: exp.Values, scope: Scope) -> list[str | None]:
        """Binds rows; returns the types of their columns."""


class Sources:
    """The binder of what stands in FROM."""

    def __init__(self, binding: Binding, queries: Queries) -> None:
        self._binding = binding
        self._queries = queries

    def from_clause(self, select: exp.Select, scope: Scope) -> None:
        """Adds every source of a SELECT to its scope."""
        from_ = select.args.get("from_")
        if from_ is not None:
            self._source(from_.this, scope)
        for join in select.args.get("joins") or ():
            self._join(join, scope, 0)
        for lateral in select.args.get("laterals") or ():
            self._source(lateral, scope)

    def _join(self, join: exp.Join, scope: Scope, first: int) -> None:
        """Adds what is joined to the sources of a scope from the first on."""
        count = len(scope.sources)
        self._source(join.this, scope)
        sources = list(scope.sources.values())
        before, added = sources[first:count], sources[count:]
        side = str(join.side or "").upper()
        if side in {"LEFT", "FULL"}:
            for source in added:
                source.nullable = True
        if side in {"RIGHT", "FULL"}:
            for source in before:
                source.nullable = True
        if str(join.kind or "").upper() in {"SEMI", "ANTI"}:
            for source in added:
                source.in_star = False
        if str(join.args.get("method") or "").upper() == "NATURAL":
            join.set("method", None)
            join.set("using", _common(before, added))
        using.merge_columns(join, before, added, scope)

    def _source(self, node: exp.Expr, scope: Scope) -> None:
        first = len(scope.sources)
        if isinstance(node, exp.Table) and node.args.get("pivots"):
            node = pivots.over_named(node, scope)
        if isinstance(node, exp.Table):
            self._table(node, scope)
        elif isinstance(node, exp.Subquery):
            self._subquery(node, node, scope)
        elif isinstance(node, exp.Lateral):
            if isinstance(node.this, exp.Subquery):
                self._subquery(node, node.this, scope)
            else:
                self._unnested(node, [node.this], scope)
        elif isinstance(node, exp.Unnest):
            self._unnested(node, node.expressions, scope)
        elif isinstance(node, exp.Values):
            self._values(node, scope)
        else:
            raise QueryForbiddenError(
                f"cannot run query: {node.key.upper()} is not allowed in FROM"
            )
        for join in node.args.get("joins") or ():
            self._join(join, scope, first)

    def _subquery(self, node: exp.Expr, subquery: exp.Subquery, scope: Scope) -> None:
        if is_in_parentheses(subquery):
            self._source(subquery.this, scope)
            return
        given = self._queries.columns(subquery, scope.inner())
        for pivot in subquery.args.get("pivots") or ():
            # Which columns the first one gives, its rows say.
            given = self._queries.pivoted(pivot, given, scope)
        alias = node.alias_or_name.lower()
        if not alias:
            alias = self._binding.name("derived")
            node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        if subquery.args.get("pivots"):
            scope.add(Source(alias))
            return
        scope.add(
            Source(
                alias,
                select=given.select,
                outputs=renamed(given.outputs, node),
            )
        )

    def _unnested(self, node: exp.Expr, values: list[exp.Expr], scope: Scope) -> None:
        lists: list[Unnested] = []
        for value in values:
            inner = value.expressions if isinstance(value, exp.Explode) else [value]
            lists += [self._queries.unnested(each, scope) for each in inner or [value.this]]
        types = [each.type for each in lists]
        alias = node.alias_or_name.lower()
        names = _column_aliases(node)
        ordinality = node.args.get("offset")
        if ordinality:
            types = [*types, *[None] * (len(names) - len(types)), "BIGINT"]
            # The parser takes the last name of two for it.
            of_place = ordinality.name.lower() if isinstance(ordinality, exp.Expr) else "ordinality"
            names = [*(names or [alias or "unnest"]), of_place]
        if len(names) <= 1 and len(types) == 1 and not ordinality:
            source = self._add_plain(node, "unnest", scope, types[0])
            self._note_items(node, source, lists[0])
            return
        if not names:
            scope.add(Source(alias or self._binding.name("unnest")))
            return
        every = [*types, *[None] * (len(names) - len(types))]
        outputs = {name: Output(type=each) for name, each in zip(names, every, strict=False)}
        scope.add(Source(alias or self._binding.name("unnest"), outputs=outputs))

    def _note_items(self, node: exp.Expr, source: Source, of: Unnested) -> None:
        """Notes that the items of a list become rows, of which the query may read a part."""
        if of.lists is None or not isinstance(node, exp.Unnest) or source.outputs is None:
            return
        ((name, output),) = source.outputs.items()
        items = UnnestedItems(source.alias, name, of.lists)
        node.meta[META] = len(self._binding.unnested)
        column = replace(output, items=items)
        source.outputs[name] = column
        source.also_named = dict.fromkeys(source.also_named, column)
        self._binding.unnested.append(items)

    def _values(self, node: exp.Values, scope: Scope) -> None:
        types = self._queries.rows(node, scope)
        names = _column_aliases(node) or [f"col{i}" for i in range(len(types))]
        alias = node.alias_or_name.lower()
        if not alias:
            alias = self._binding.name("values")
            node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        outputs = {name: Output(type=each) for name, each in zip(names, types, strict=False)}
        scope.add(Source(alias, outputs=outputs))

    def _add_plain(
        self, node: exp.Expr, function: str, scope: Scope, sql_type: str | None
    ) -> Source:
        """Adds a table function of one column, which has the name of the table, or else of the function."""
        names = _column_aliases(node)
        alias = node.alias.lower()
        column = Output(type=sql_type)
        if not alias and function in scope.sources:
            alias = self._binding.name(function)
            node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        source = Source(alias or function, outputs={(names or [alias or function])[0]: column})
        if not names:
            source.also_named[function] = column
        scope.add(source)
        return source

    def _table(self, node: exp.Table, scope: Scope) -> None:
        if isinstance(node.this, exp.Func):
            self._function(node, scope)
            return
        name, alias = node.name.lower(), node.alias_or_name.lower()
        cte = scope.cte(name)
        if cte is not None:
            outputs = renamed(cte.outputs, node)
            scope.add(Source(alias, select=cte.select if outputs else None, outputs=outputs))
        elif name in NAMED:
            self._scan(node, alias, name, (), scope)
        elif name in VIEWS:
            text = view_text(name, node.root())
            self._view(node, text, node.alias_or_name, scope, JSON_COLUMNS.get(name))
        elif name in CATALOG:
            token = self._binding.name("scan")
            table = self._binding.tables[token] = self._binding.catalog(name)
            _rename(node, token, node.alias_or_name)
            outputs = {
                field.name: Output(type=_TYPES.get(str(field.type))) for field in table.schema
            }
            scope.add(Source(alias, outputs=outputs))
        else:
            known = sorted({*NAMED, *VIEWS, *CATALOG, *FUNCTIONS})
            raise UnknownNameError(
                f"cannot run query: unknown table {node.name}{nearest(name, known)}"
            )

    def _view(
        self,
        node: exp.Table,
        sql: str,
        alias: str,
        scope: Scope,
        json_columns: Collection[str] | None = None,
    ) -> None:
        view = parse(sql)
        warned = list(self._binding.warnings)
        given = self._queries.columns(view, Scope(depth=scope.depth + 1))
        # A view asks for sums that a store may have no data for.
        self._binding.warnings[:] = warned
        subquery = exp.Subquery(
            this=view, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
        )
        node.replace(subquery)
        for key in ("joins", "sample", "pivots"):
            if node.args.get(key):
                subquery.set(key, node.args[key])
        plain = {
            name: Output(type=ITEM)
            if name in (json_columns or ())
            else Output(type=output.type, is_text=output.is_text)
            for name, output in (given.outputs or {}).items()
        }
        scope.add(Source(alias.lower(), outputs=plain or None))

    def _function(self, node: exp.Table, scope: Scope) -> None:
        call = node.this
        name = called(node) or ""
        if name in TABLE_GENERATORS or name in {"explode", "generateseries", "generate_series"}:
            name = generate(call).partition("(")[0].lower()
            if name in {"unnest", "explode"}:
                self._unnested(node, [call], scope)
            else:
                # The scalar function of the same name gives the rows as a list.
                self._add_plain(node, name, scope, self._queries.unnested(call, scope).type)
            return
        if name not in FUNCTIONS:
            known = sorted({*FUNCTIONS, *TABLE_GENERATORS})
            raise UnknownNameError(
                f"cannot run query: unknown table function {name}(){nearest(name, known)}"
            )
        facts = StoreFacts(self._binding.datasets, lambda: _scores(self._binding))
        meaning = FUNCTIONS[name].meaning(call.expressions, facts)
        if isinstance(meaning, View):
            self._view(node, meaning.sql, node.alias or name, scope)
            return
        scan = self._scan(
            node, (node.alias or name).lower(), meaning.table, meaning.predicate, scope
        )
        scan.newest_only = meaning.newest_only
        if meaning.time_range is not None:
            start, stop = scan.time_range
            scan.time_range = (max(start, meaning.time_range[0]), min(stop, meaning.time_range[1]))

    def _scan(
        self, node: exp.Table, alias: str, table: str, predicate: Predicate, scope: Scope
    ) -> ScanBuilder:
        scan = ScanBuilder(self._binding.name("scan"), table, predicate=predicate)
        bounds = node.meta.get(pruning.META)
        scan.time_range = bounds.time_range if bounds is not None else EVER
        if bounds is not None:
            scan.trace_ids, scan.trace_names = bounds.trace_ids, bounds.trace_names
        scan.top_n = node.meta.get(top_n.META)
        self._binding.scans[scan.token] = scan
        _rename(node, scan.token, node.alias or alias)
        scope.add(Source(alias, scan=scan))
        return scan


def renamed(outputs: dict[str, Output] | None, node: exp.Expr) -> dict[str, Output] | None:
    """Returns columns under the names that an alias list gives them."""
    names = _column_aliases(node)
    if outputs is None or not names:
        return outputs
    old = list(outputs)
    return {
        new: outputs[name] for name, new in zip(old, [*names, *old[len(names) :]], strict=False)
    }


def _common(left: Sequence[Source], right: Sequence[Source]) -> list[exp.Identifier]:
    """Returns the columns that both sides of a NATURAL JOIN have."""
    sides = []
    for sources in (left, right):
        columns = [source.columns() for source in sources]
        sides.append([name for names in columns for name in names or ()])
        if None in columns:
            raise QueryForbiddenError(
                "cannot run query: NATURAL JOIN of columns that are not known before it runs; "
                "name them in USING (...)"
            )
    common = [name for name in dict.fromkeys(sides[0]) if name in sides[1]]
    if not common:
        raise UnknownNameError("cannot run query: NATURAL JOIN of tables without a common column")
    return [exp.to_identifier(name, quoted=True) for name in common]


def cte_of(cte: exp.CTE, given: Columns | None) -> Cte:
    """Returns a CTE's columns; none where they are not known."""
    if given is None:
        return Cte()
    return Cte(given.select, renamed(given.outputs, cte))


_TYPES = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
}


def _column_aliases(node: exp.Expr) -> list[str]:
    alias = node.args.get("alias")
    columns = alias.args.get("columns") if alias is not None else None
    return [column.name.lower() for column in columns or ()]


def _rename(node: exp.Table, token: str, alias: str) -> None:
    node.set("this", exp.to_identifier(token, quoted=True))
    table_alias = node.args.get("alias")
    if table_alias is None or not table_alias.this:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _scores(binding: Binding) -> list[list[str]]:
    """Returns the keys of every score that spans have, below `scores`."""
    data = binding.data("spans")
    return [
        [str(key) for key in parse_path(path)[1:]]
        for path in data.below("scores")
        if {"i64", "f64", "bool"} & set(data.types(path))
    ]
