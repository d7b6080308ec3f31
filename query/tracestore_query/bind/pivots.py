"""PIVOT and UNPIVOT over a table: they read a subquery of the columns and paths that they name.

A stored table has too many columns to group by all that are not named, so those are left out. A CTE, and UNPIVOT,
keep them.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from tracestore_query.bind.scopes import Scope
from tracestore_query.language.path_syntax import Step, is_chain_end, name_of, shown, steps_of


def read_named(pivot: exp.Pivot, scope: Scope) -> None:
    """Makes a PIVOT statement read a subquery, which has the CTEs of the statement."""
    if isinstance(pivot.this, exp.Table):
        table = pivot.this.copy()
        parts = [*pivot.expressions, *(pivot.args.get("using") or ()), pivot.args.get("group")]
        chains = _taken_out(part for part in parts if part is not None)
        keeps_others = scope.cte(table.name.lower()) is not None or _is_cte(pivot, table)
        select = _select(
            chains, table, keeps_others=keeps_others or bool(pivot.args.get("unpivot"))
        )
        pivot.set("this", exp.Subquery(this=select))
    with_ = pivot.args.get("with_")
    if with_ is not None:
        pivot.set("with_", None)
        select = exp.select("*").from_(pivot.this.copy())
        select.set("with_", with_)
        pivot.set("this", exp.Subquery(this=select))


def over_named(table: exp.Table, scope: Scope) -> exp.Subquery:
    """Puts a subquery in the place of a table with PIVOT or UNPIVOT behind it."""
    first: exp.Pivot = table.args["pivots"][0]
    inner = exp.Table(this=table.this.copy())
    keeps_others = scope.cte(table.name.lower()) is not None
    if first.args.get("unpivot"):
        chains = _taken_out(each for field in first.fields for each in field.expressions)
        keeps_others = True
    else:
        group = first.args.get("group")
        parts = [*first.expressions, *(field.this for field in first.fields)]
        chains = _taken_out([*parts, group] if group is not None else parts)
    select = _select(chains, inner, keeps_others=keeps_others)
    subquery = exp.Subquery(this=select, alias=table.args.get("alias"))
    for key in ("joins", "sample", "pivots"):
        if table.args.get(key):
            subquery.set(key, table.args[key])
    table.replace(subquery)
    return subquery


def on_columns(pivot: exp.Pivot) -> set[str]:
    """Returns the columns, in lower case, whose values become columns: the engine takes them as texts."""
    if pivot.args.get("unpivot"):
        return set()
    return {each.name.lower() for each in _on(pivot) if isinstance(each, exp.Column)}


def unpivoted(pivot: exp.Pivot) -> set[str]:
    """Returns the columns, in lower case, whose values an UNPIVOT puts below one another."""
    if not pivot.args.get("unpivot"):
        return set()
    listed = [each for field in pivot.fields for each in field.expressions] or pivot.expressions
    return {each.name.lower() for each in listed if isinstance(each, exp.Column)}


def computed(pivot: exp.Pivot) -> list[exp.Expr]:
    """Returns what a PIVOT computes of the columns of its source: aggregates, and what it pivots on."""
    if pivot.args.get("unpivot"):
        return []
    on = [each for each in _on(pivot) if not isinstance(each, exp.Column)]
    aggregates = pivot.expressions if pivot.fields else pivot.args.get("using") or ()
    return [*on, *aggregates]


def _on(pivot: exp.Pivot) -> list[exp.Expr]:
    """Returns what a PIVOT is on, less the values that it names."""
    on = pivot.fields or pivot.expressions
    return [each.this if isinstance(each, exp.In) else each for each in on]


def _is_cte(pivot: exp.Pivot, table: exp.Table) -> bool:
    with_ = pivot.args.get("with_")
    names = [cte.alias.lower() for cte in with_.expressions] if with_ is not None else []
    return table.name.lower() in names


def _taken_out(parts: Iterable[exp.Expr]) -> dict[str, exp.Expr]:
    """Puts a column in the place of each path in parts of a PIVOT; returns the paths by the names of the columns."""
    chains: dict[str, exp.Expr] = {}
    for part in parts:
        for node in list(part.walk()):
            steps = steps_of(node) if is_chain_end(node) else None
            if steps:
                name = _name_for(steps, node, chains)
                chains.setdefault(name, node.copy())
                node.replace(exp.column(name, quoted=True))
    return chains


def _name_for(steps: list[Step], node: exp.Expr, chains: dict[str, exp.Expr]) -> str:
    """Returns the name of a path's column: its last key, or all of it where another path has that name."""
    name = name_of(steps)
    other = chains.get(name)
    return name if other is None or other == node else shown(steps)


def _select(
    chains: dict[str, exp.Expr], table: exp.Table, *, keeps_others: bool = False
) -> exp.Select:
    columns: list[exp.Expr] = [
        exp.alias_(chain, name, quoted=True) for name, chain in chains.items()
    ]
    if keeps_others:
        named = [exp.to_identifier(name, quoted=True) for name in _columns_of(chains, table.name)]
        columns.insert(0, exp.Star(except_=named))
    return exp.Select(expressions=columns or [exp.Literal.number(1)]).from_(table)


def _columns_of(chains: dict[str, exp.Expr], table: str) -> list[str]:
    """Returns the columns of a table in which paths lie."""
    found: dict[str, None] = {}
    for chain in chains.values():
        steps = steps_of(chain) or []
        at = 1 if len(steps) > 1 and steps[0].text.lower() == table.lower() else 0
        found[steps[at].text.lower()] = None
    return list(found)
