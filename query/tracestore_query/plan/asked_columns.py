"""Which columns a query compares with one value, or some: what its tables could be clustered by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from tracestore.variant import TableSpec, format_path
from tracestore_query.language.nodes import find_nodes
from tracestore_query.language.path_syntax import steps_of
from tracestore_query.plan.pruning import conjuncts, tables_of
from tracestore_query.tables.names import STORED
from tracestore_query.tables.table_nodes import scanned_table

MAX_COLUMNS: Final = 8
"""Columns of one query that are counted."""

MAX_CHARACTERS: Final = 200
"""Of a path that is counted: longer ones are no column that somebody sorts by."""

# What finds rows by itself: segments belong to one project, and ids have filters of their own.
_FOUND_OTHERWISE: Final = frozenset({"project", "trace_id", "span_id", "parent_span_id"})


def asked_columns(tree: exp.Expr) -> tuple[tuple[str, str], ...]:
    """Returns each (table, column or path) that conditions compare with constants, in order."""
    found: dict[tuple[str, str], None] = {}
    for select in find_nodes(tree, exp.Select):
        where = select.args.get("where")
        sources = {
            alias: name
            for table, alias in tables_of(select)
            if (name := scanned_table(table)) is not None
        }
        if where is None or not sources:
            continue
        for condition in conjuncts(where.this):
            for subject in _subjects(condition):
                column = _column_of(subject, sources)
                if column is not None:
                    found[column] = None
    return tuple(found)[:MAX_COLUMNS]


def _subjects(condition: exp.Expr) -> Iterator[exp.Expr]:
    """Yields what a condition compares with constants."""
    if isinstance(condition, exp.EQ):
        for subject, value in (
            (condition.this, condition.expression),
            (condition.expression, condition.this),
        ):
            if value.find(exp.Column, exp.Query) is None:
                yield subject
        return
    values = condition.expressions if isinstance(condition, exp.In) else ()
    if values and all(value.find(exp.Column, exp.Query) is None for value in values):
        yield condition.this


def _column_of(subject: exp.Expr, sources: dict[str, str]) -> tuple[str, str] | None:
    """Returns the table and the column or path that a node names, None where it is neither."""
    is_chain = isinstance(subject, exp.Column | exp.Dot | exp.Bracket)
    steps = steps_of(subject) if is_chain else None
    if not steps or any(step.index is not None for step in steps):
        return None
    keys = [step.text for step in steps]
    alias = keys[0].lower()
    if len(keys) > 1 and alias in sources:
        table, keys = sources[alias], keys[1:]
    elif len(sources) == 1:
        [table] = sources.values()
    else:
        return None
    if not _may_be_sorted_by(STORED[table], keys):
        return None
    return table, format_path([keys[0].lower(), *keys[1:]])


def _may_be_sorted_by(spec: TableSpec, keys: list[str]) -> bool:
    name = keys[0].lower()
    if sum(map(len, keys)) > MAX_CHARACTERS or name in _FOUND_OTHERWISE:
        return False
    if len(keys) == 1 and name in spec.columns:
        return name not in {*spec.derived, spec.time_column, spec.time_ns_column}
    return name in spec.variants
