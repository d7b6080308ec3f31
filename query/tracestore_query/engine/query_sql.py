"""A whole plan as DuckDB text."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tracestore_query.engine.scan_sql import scan_sql
from tracestore_query.language.dialect import generate
from tracestore_query.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class QuerySql:
    """A plan as one statement of the engine's SQL, and the Arrow tables that it names."""

    sql: str
    tables: dict[str, pa.Table]


def query_sql(plan: Plan) -> QuerySql:
    """Returns the statement that gives a plan's rows."""
    sql = generate(plan.query.tree)
    tables = dict(plan.query.tables)
    for token, scan_plan in plan.scans.items():
        scan = scan_sql(scan_plan)
        tables |= scan.tables
        # The token holds a random number of this query: no text of the user can be taken for it.
        sql = sql.replace(f'"{token}"', scan.sql)
    return QuerySql(sql, tables)
