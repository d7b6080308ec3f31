"""What an answer depends on, as a text: two equal texts in one process are answers with equal rows."""

from __future__ import annotations

import re
import secrets
from typing import Final

from tracestore.store import Snapshot
from tracestore_query.execute.planned_query import PlannedQuery
from tracestore_query.language.statement import Kind

_PROCESS: Final = secrets.token_hex(8)
"""Another process may be another version, which may answer otherwise."""

VARYING: Final = frozenset(
    [
        "age",
        "ago",
        "current_date",
        "current_localtime",
        "current_localtimestamp",
        "current_time",
        "current_timestamp",
        "gen_random_uuid",
        "get_current_time",
        "get_current_timestamp",
        "localtime",
        "localtimestamp",
        "now",
        "random",
        "reservoir_quantile",
        "sample",
        "tablesample",
        "today",
        "tomorrow",
        "transaction_timestamp",
        "uuid",
        "uuidv4",
        "uuidv7",
        "yesterday",
    ]
)
"""Words of functions, and of texts that are read as times, whose values change though no row does."""

_WORD: Final = re.compile(r"\w+")


def answer_state(planned: PlannedQuery, snapshot: Snapshot | None) -> str | None:
    """Returns what an answer depends on beside its text and parameters.

    None where that is more than rows: the time, chance, or what the catalog says of the store.
    """
    if snapshot is None or planned.kind is not Kind.SELECT or planned.plan.query.tables:
        return None
    if not planned.time_independent or "dataset_rows" in snapshot.tables:
        return None
    texts = [planned.sql, *map(str, planned.values.values())]
    if any(not VARYING.isdisjoint(_WORD.findall(text.lower())) for text in texts):
        return None
    return f"{_PROCESS} {snapshot.state}"
