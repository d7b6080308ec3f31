"""A whole plan as one query of Spark SQL, with what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from tracestore_query.errors import SparkRefusedError
from tracestore_query.execute.streaming import told_apart
from tracestore_query.plan.plan import ObjectCall, Plan
from tracestore_query.spark.calls import Typed
from tracestore_query.spark.engine_plan import EnginePlan
from tracestore_query.spark.functions.casts import to_json
from tracestore_query.spark.names import column, named
from tracestore_query.spark.operators import relation
from tracestore_query.spark.relations import Context
from tracestore_query.spark.scans import FileRead, scan_text
from tracestore_query.spark.types import is_value


@dataclass(frozen=True, slots=True)
class SparkQuery:
    """A query of Spark SQL, and what must have a name before it is asked.

    Attributes:
        sql: the text.
        reads: files by the view that stands for them.
        tables: rows of the driver by the view that stands for them.
        objects: the functions that rebuild objects, by name.
        warnings: what the answer should carry along.
    """

    sql: str
    reads: Mapping[str, FileRead]
    tables: Mapping[str, pa.Table]
    objects: Mapping[str, ObjectCall]
    warnings: tuple[str, ...]


def spark_query(plan: Plan, engine_plan: EnginePlan) -> SparkQuery:
    """Returns a plan as a query of Spark SQL.

    Raises:
        SparkRefusedError: naming what Spark has no equal of.
    """
    query = plan.query
    tables = dict(query.tables)
    reads: dict[str, FileRead] = {}

    def source(token: str, with_id: bool) -> str | None:
        if token in query.tables:
            return f"SELECT * FROM {named(token)}"
        if token not in plan.scans:
            return None
        made = scan_text(plan.scans[token], with_id=with_id)
        for name, read in made.reads.items():
            before = reads.get(name, read)
            reads[name] = replace(read, of_rows=read.of_rows or before.of_rows)
        tables.update(made.tables)
        return made.sql

    context = Context(source, plan.scans.keys(), {name: name for name in query.objects})
    whole = relation(engine_plan.root, context)
    names = _told_apart(engine_plan.names)
    columns = [
        f"{_shown(Typed(column(at), kind), at in query.numbers, context)} AS {named(name)}"
        for at, (name, kind) in enumerate(zip(names, whole.types, strict=True))
    ]
    sql = f"SELECT {', '.join(columns)} FROM ({whole.sql})"
    if context.views:
        listed = ", ".join(f"{name} AS ({text})" for name, text in context.views)
        sql = f"WITH {listed} {sql}"
    return SparkQuery(sql, reads, tables, query.objects, query.warnings)


def _shown(value: Typed, is_number: bool, context: Context) -> str:
    """Returns a column as readers get it: a value as JSON, a number as a double."""
    if is_number and is_value(value.type):
        return f"{value.sql}.__number"
    if value.type.is_list and is_value(value.type.item):
        name = context.scope.name()
        return f"transform({value.sql}, {name} -> {to_json(Typed(name, value.type.item), context.scope)})"
    if value.type.name == "INTERVAL":
        raise SparkRefusedError.of("a column of type INTERVAL", "give it as a number of seconds")
    if _holds_values(value):
        return to_json(value, context.scope)
    return value.sql


def _holds_values(value: Typed) -> bool:
    kinds = [value.type]
    while kinds:
        kind = kinds.pop()
        if is_value(kind):
            return True
        kinds += [part for _, part in kind.parts]
    return False


def _told_apart(names: tuple[str, ...]) -> list[str]:
    """Returns names of columns, of which no two are the same."""
    schema = pa.schema([pa.field(name, pa.null()) for name in names])
    return list(told_apart(schema).names)
