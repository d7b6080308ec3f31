"""`*`, `alias.*` and `COLUMNS(...)`, written out where a scan is among what they stand for."""

from __future__ import annotations

import re

from sqlglot import exp

from tracestore_query.bind.scopes import Merged, Scope, Source
from tracestore_query.errors import QueryForbiddenError, UnknownNameError


def expand_stars(select: exp.Select, scope: Scope) -> bool:
    """Writes the stars of a select list out; tells whether every column of it is known now."""
    listed: list[exp.Expr] = []
    complete = True
    for each in select.expressions:
        star, sources = _star(each, scope)
        if star is not None:
            for source in sources:
                columns = _columns_of(source, star, scope, sources)
                complete = complete and columns is not None
                listed += columns if columns is not None else [_engine_star(source, star, sources)]
            continue
        if _pattern(each) is None:
            listed.append(each)
            continue
        expanded = _matching(each, scope)
        complete = complete and expanded is not None
        listed += [each] if expanded is None else expanded
    select.set("expressions", listed)
    return complete


def _star(node: exp.Expr, scope: Scope) -> tuple[exp.Star | None, list[Source]]:
    if isinstance(node, exp.Star):
        return node, [source for source in scope.sources.values() if source.in_star]
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
        if node.args.get("db") or node.table.lower() not in scope.sources:
            _refuse_star_of_path(node, scope)
        return node.this, [scope.named(node.table)]
    return None, []


def _refuse_star_of_path(node: exp.Column, scope: Scope) -> None:
    for source in scope.sources.values():
        if source.spec is not None and node.table.lower() in source.spec.variants:
            raise UnknownNameError(
                f"cannot run query: {node.table} has no fixed fields for {node.table}.*; "
                f"select {node.table} itself, or name its paths"
            )
    scope.named(node.table)


def _engine_star(source: Source, star: exp.Star, sources: list[Source]) -> exp.Expr:
    """Returns a star for the engine to write out: of a source whose columns are not known here."""
    if len(sources) == 1:
        return star.copy()
    return exp.Column(this=star.copy(), table=exp.to_identifier(source.alias, quoted=True))


def _columns_of(
    source: Source, star: exp.Star, scope: Scope, sources: list[Source]
) -> list[exp.Expr] | None:
    """Returns the columns a star shows of a source, None where these are not known."""
    names = source.columns()
    if names is None:
        return None
    except_ = {each.name.lower() for each in star.args.get("except_") or ()}
    replace = {each.alias.lower(): each for each in star.args.get("replace") or ()}
    rename = {each.this.name.lower(): each.alias for each in star.args.get("rename") or ()}
    listed: list[exp.Expr] = []
    for name in names:
        # A column that USING joined on shows once, with the first source.
        merged = scope.merged(name, [source]) if len(sources) > 1 else None
        is_shown = merged is None or source is _first_with(name, sources, merged)
        if name in except_ or not is_shown:
            continue
        if name in replace:
            listed.append(replace[name].copy())
            continue
        column = merged.value(name) if merged is not None else _column(name, source.alias)
        shown = rename.get(name, name)
        is_named = isinstance(column, exp.Column) and name not in rename
        listed.append(column if is_named else exp.alias_(column, shown, quoted=True))
    return listed


def _first_with(name: str, sources: list[Source], merged: Merged) -> Source | None:
    having = (source for source in sources if name in (source.columns() or ()))
    return next((source for source in having if source in merged.members), None)


def _column(name: str, alias: str) -> exp.Column:
    return exp.column(
        exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True)
    )


def _pattern(node: exp.Expr) -> exp.Expr | None:
    """Returns the node that stands for several columns by their names: COLUMNS(...) or `* LIKE ...`."""
    found = node.find(exp.Columns)
    if found is not None:
        return found
    inner = node.this if isinstance(node, exp.Not) else node
    likes = (exp.Like, exp.ILike, exp.Glob, exp.SimilarTo)
    return node if isinstance(inner, likes) and isinstance(inner.this, exp.Star) else None


def _matching(node: exp.Expr, scope: Scope) -> list[exp.Expr] | None:
    """Returns an item of the select list once for each column that its pattern matches."""
    sources = [source for source in scope.sources.values() if source.in_star]
    if all(source.spec is None for source in sources):
        return None
    pattern = _pattern(node)
    wanted = pattern.this if isinstance(pattern, exp.Columns) else None
    names = [(name, source.alias) for source in sources for name in source.columns() or ()]
    if isinstance(wanted, exp.Literal) and wanted.is_string:
        names = [each for each in names if _matches(str(wanted.this), each[0])]
    elif isinstance(wanted, exp.Array):
        chosen = [str(each.this).lower() for each in wanted.expressions]
        names = [each for each in names if each[0] in chosen]
    elif not isinstance(wanted, exp.Star):
        raise QueryForbiddenError(
            "cannot run query: choose columns by COLUMNS('regular expression'), COLUMNS([...]) or COLUMNS(*)"
        )
    if not names:
        raise UnknownNameError(f"cannot run query: no column matches {node.sql(dialect='duckdb')}")
    listed = []
    for name, alias in names:
        copy = node.copy()
        for each in list(copy.find_all(exp.Columns)):
            column = _column(name, alias)
            if each is copy:
                copy = column
            else:
                each.replace(column)
        plain = isinstance(copy, exp.Column | exp.Alias)
        listed.append(copy if plain else exp.alias_(copy, name, quoted=True))
    return listed


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error as error:
        raise UnknownNameError(f"cannot run query: bad pattern {pattern!r}: {error}") from None
