"""A whole plan as DuckDB text."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tracestore_query.engine.checked_text import TextChecker
from tracestore_query.engine.scan_sql import scan_sql
from tracestore_query.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class QuerySql:
    """A plan as one statement of the engine's SQL.

    Attributes:
        sql: the text.
        tables: the Arrow tables that it names.
        over_tokens: the text of the query alone, with the tokens of its scans in place of their texts.
    """

    sql: str
    tables: dict[str, pa.Table]
    over_tokens: str


def query_sql(plan: Plan, checker: TextChecker, over_tokens: str | None = None) -> QuerySql:
    """Returns the statement that gives a plan's rows.

    Args:
        plan: the plan.
        checker: of the texts.
        over_tokens: of a plan of the same query, whose scans read something else; None where there is none.

    Raises:
        QueryForbiddenError: where the engine reads anything in it that queries may not have.
    """
    tables = {**plan.query.tables, **plan.kept}
    scans = {token: scan_sql(scan_plan) for token, scan_plan in plan.scans.items()}
    for scan in scans.values():
        tables |= scan.tables
    query = over_tokens or checker.over_tokens(plan)
    return QuerySql(checker.text(query, plan, scans), tables, query)
