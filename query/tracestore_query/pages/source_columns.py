"""Columns that tell the rows of a FROM apart: rows that are alike in all of them are alike in everything."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from tracestore_query.tables.names import HIDDEN, STORED
from tracestore_query.tables.table_nodes import called, scanned_table

IDENTITY: Final = {
    "spans": ("project", "trace_id", "span_id"),
    "dataset_rows": ("project", "id"),
}
"""Columns that no two rows of a stored table share. A query sees one version of one dataset."""

_OF_VIEWS: Final = {"traces": ("project", "trace_id"), "experiments": ("project", "name")}


def source_columns(select: exp.Select) -> list[exp.Expr] | None:
    """Returns columns that tell the rows apart which a SELECT reads; None where they are not known by name."""
    from_ = select.args.get("from_")
    if from_ is None:
        return []
    sources = [from_.this, *(from_.this.args.get("joins") or ())]
    sources += [*(select.args.get("joins") or ()), *(select.args.get("laterals") or ())]
    columns: list[exp.Expr] = []
    for each in sources:
        if isinstance(each, exp.Join) and str(each.kind or "").upper() in {"SEMI", "ANTI"}:
            continue
        source = each.this if isinstance(each, exp.Join) else each
        names = _names(source)
        if names is None or source.args.get("pivots"):
            return None
        alias = source.alias_or_name
        columns += [exp.column(name, table=alias, quoted=True) for name in names]
    return columns


def item_count(query: exp.Expr) -> int | None:
    """Returns how many columns a query gives; None where a star hides it."""
    select = _first_select(query)
    if select is None or any(_is_star(each) for each in select.expressions):
        return None
    return len(select.expressions)


def common_table(table: exp.Table) -> exp.CTE | None:
    """Returns the common table expression that a name in FROM means; None where it means none."""
    if called(table) is not None:
        return None
    node: exp.Expr | None = table
    while node is not None:
        with_ = node.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            if cte.alias.lower() == table.name.lower():
                found: exp.CTE = cte
                return found
        node = node.parent
    return None


def _names(source: exp.Expr) -> list[str] | None:
    given = _column_aliases(source)
    if isinstance(source, exp.Table):
        return _names_of_table(source, given)
    if isinstance(source, exp.Lateral):
        inner = source.this
        names = _output_names(inner.this) if isinstance(inner, exp.Subquery) else None
        return _renamed(names, given) if isinstance(inner, exp.Subquery) else given or None
    if isinstance(source, exp.Subquery):
        if not source.alias or isinstance(source.this, exp.Table):
            return None
        return _renamed(_output_names(source.this), given)
    return given or None


def _names_of_table(table: exp.Table, given: list[str]) -> list[str] | None:
    cte = common_table(table)
    if cte is not None:
        return _renamed(_renamed(_output_names(cte.this), _column_aliases(cte)), given)
    if called(table) is not None and not table.alias:
        return None
    name = scanned_table(table)
    if name is None:
        return list(_OF_VIEWS.get(table.name.lower(), ())) or given or None
    if name in IDENTITY:
        return list(IDENTITY[name])
    spec = STORED[name]
    return [
        each for each in (*spec.columns, *spec.variants) if each not in HIDDEN.get(spec.name, ())
    ]


def _output_names(query: exp.Expr) -> list[str] | None:
    """Returns the names of a query's columns, those that tell rows apart where it is a star of one source."""
    select = _first_select(query)
    if select is None or (isinstance(query, exp.SetOperation) and query.args.get("by_name")):
        return None
    if any(_is_star(each) for each in select.expressions):
        alone = len(select.expressions) == 1 and isinstance(select.expressions[0], exp.Star)
        plain = alone and not any(select.expressions[0].args.values())
        is_whole = plain and not isinstance(query, exp.SetOperation)
        names = source_columns(select) if is_whole and not select.args.get("joins") else None
        return None if names is None else [each.name for each in names]
    shown = [
        each.alias or (each.name if isinstance(each, exp.Column) else "")
        for each in select.expressions
    ]
    given = [str(name) for name in shown]
    lowered = {name.lower() for name in given}
    return given if all(given) and len(lowered) == len(given) else None


def _first_select(query: exp.Expr) -> exp.Select | None:
    while isinstance(query, exp.SetOperation | exp.Subquery):
        query = query.this
    return query if isinstance(query, exp.Select) else None


def _is_star(item: exp.Expr) -> bool:
    value = item.unalias()
    if isinstance(value, exp.Star) or (
        isinstance(value, exp.Column) and isinstance(value.this, exp.Star)
    ):
        return True
    # COLUMNS('pattern') gives as many items as match.
    return item.find(exp.Columns) is not None


def _column_aliases(source: exp.Expr) -> list[str]:
    alias = source.args.get("alias")
    columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
    return [column.name for column in columns or ()]


def _renamed(names: list[str] | None, given: list[str]) -> list[str] | None:
    return None if names is None else [*given, *names[len(given) :]]
