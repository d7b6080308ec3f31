"""A whole plan as DuckDB text."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tracestore_query.engine.checked_text import TextChecker
from tracestore_query.engine.scan_sql import scan_sql
from tracestore_query.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class QuerySql:
    """A plan as one statement of the engine's SQL, and the Arrow tables that it names."""

    sql: str
    tables: dict[str, pa.Table]


def query_sql(plan: Plan, checker: TextChecker) -> QuerySql:
    """Returns the statement that gives a plan's rows.

    Raises:
        QueryForbiddenError: where the engine reads anything in it that queries may not have.
    """
    tables = {**plan.query.tables, **plan.kept}
    scans = {token: scan_sql(scan_plan) for token, scan_plan in plan.scans.items()}
    for scan in scans.values():
        tables |= scan.tables
    return QuerySql(checker.text(plan, scans), tables)
