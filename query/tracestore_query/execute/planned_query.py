"""A query that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tracestore.store import Paths
from tracestore_query.language.statement import Kind
from tracestore_query.pages.paging import Paging
from tracestore_query.plan.plan import Plan
from tracestore_query.plan.scan import TimeRange


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """A plan, and the SQL that the engine gets for it.

    Attributes:
        kind: what the statement asks for.
        plan: the plan.
        sql: the engine's SQL.
        tables: Arrow tables that the SQL names.
        values: values of the parameters, by their names in the SQL.
        paging: how the answer is cut into pages, None where it is not.
        names: of the columns of an answer in pages.
        time_range: range of times outside of which the query reads nothing.
        reads: paths that it reads of rows in memory of other nodes, None for all.
        time_independent: whether the plan is the same at any time.
        parameter_independent: whether the plan is the same for all values of the parameters' types.
        over_tokens: the text of the query alone, with the tokens of its scans in place of their texts.
        trace_dependent: whether it would be but for which segments it reads: those that may hold the traces that
            parameters name.
        asked: tables and the columns of them that it compares with constants; None where it reads no rows.
    """

    kind: Kind
    plan: Plan
    sql: str
    tables: Mapping[str, pa.Table]
    values: Mapping[str, Any]
    paging: Paging | None
    time_range: TimeRange
    reads: Paths
    time_independent: bool
    parameter_independent: bool
    names: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] | None = None
    trace_dependent: bool = False
    over_tokens: str = ""
