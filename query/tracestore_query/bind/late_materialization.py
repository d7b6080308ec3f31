"""Objects of the answer: taken out of the query, and rebuilt once its rows are known."""

from __future__ import annotations

from sqlglot import exp

from tracestore_query.bind.bind_state import Binding
from tracestore_query.bind.path_values import PathValues
from tracestore_query.bind.scan_builder import ScanBuilder
from tracestore_query.bind.scopes import Scope, Source, look_up
from tracestore_query.bind.typed.engine_types import is_aggregate
from tracestore_query.language.nodes import find_nodes
from tracestore_query.language.path_syntax import Step, name_of, steps_of
from tracestore_query.language.replacement import put_in_place
from tracestore_query.plan.plan import Rebuilt

ROW_ID = "__row_id"
"""The column of a scan that holds each row's file and number."""


def take_out(select: exp.Select, scope: Scope, binding: Binding, paths: PathValues) -> None:
    """Replaces objects in the outermost select list by the ids of their rows.

    Only where a row of the answer is a row of a scan: not with GROUP BY, DISTINCT or aggregates.
    """
    if select.args.get("distinct") or select.args.get("group"):
        return
    calls = (call for each in select.expressions for call in find_nodes(each, exp.Func))
    if any(is_aggregate(call, binding.types) for call in calls):
        return
    for i, each in enumerate(select.expressions):
        chain = each.unalias()
        is_chain = isinstance(chain, exp.Column | exp.Dot | exp.Bracket)
        steps = steps_of(chain) if is_chain else None
        found = look_up(scope, steps) if steps else None
        if steps is None or found is None or found.others:
            continue
        if found.source.alias not in scope.sources:
            continue
        origin = _origin(found.source, found.steps)
        if origin is None:
            continue
        scan, path = origin
        keys = paths.object_keys(scan, path)
        if keys is None:
            continue
        row_id = _row_id(found.source, found.steps, binding)
        scan.needs_row_ids = True
        binding.rebuilt.append(Rebuilt(i, scan.token, keys))
        name = each.alias or name_of(steps)
        put_in_place(each, exp.alias_(row_id, name, quoted=True))


def append_row_ids(select: exp.Select, scope: Scope) -> None:
    """Adds the id of each row to a select list over one table."""
    [source] = scope.sources.values()
    if source.scan is None:
        raise AssertionError("BUG: row ids are asked of what is no table")
    source.scan.needs_row_ids = True
    row_id = exp.column(ROW_ID, table=source.alias, quoted=True)
    select.append("expressions", exp.alias_(row_id, ROW_ID, quoted=True))


def _origin(source: Source, steps: list[Step]) -> tuple[ScanBuilder, list[Step]] | None:
    """Returns the scan and path that a chain comes from, None where subqueries compute it."""
    if source.scan is not None and source.spec is not None:
        return (source.scan, steps) if steps[0].text in source.spec.variants else None
    output = (source.outputs or {}).get(steps[0].text)
    if output is None or output.origin is None or source.select is None:
        return None
    inner, before = output.origin
    return _origin(inner, [*before, *steps[1:]])


def _row_id(source: Source, steps: list[Step], binding: Binding) -> exp.Expr:
    """Returns the column that holds the id of a source's row, handed up through subqueries."""
    if source.scan is not None:
        return exp.column(ROW_ID, table=source.alias, quoted=True)
    output = (source.outputs or {})[steps[0].text]
    if output.origin is None or source.select is None:
        raise AssertionError("BUG: a row id is asked of a column that comes from no scan")
    inner = _row_id(output.origin[0], output.origin[1], binding)
    name = binding.name("row_id")
    source.select.append("expressions", exp.alias_(inner, name, quoted=True))
    return exp.column(name, table=source.alias, quoted=True)
