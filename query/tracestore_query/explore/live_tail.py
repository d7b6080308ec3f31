"""Live arrival: the matching spans that have come since the last look, in small batches.

Spans are looked for by the time at which they ended: a span is sent when it ends. What ended long before it
came is no live arrival, and is left to queries.
"""

from __future__ import annotations

import time
from typing import Any, Final

from tracestore.bounded_cache import BoundedCache
from tracestore_query.explore.selection import RowQuery, Selection, check_expression
from tracestore_query.tables.names import quoted
from tracestore_query.tables.span_end import END_NS

LOOK_S: Final = 0.35
"""Seconds between looks: two looks and their queries fit into a second."""

WINDOW_NS: Final = 15 * 60 * 1_000_000_000
"""How long ago a span may have begun: agents that run longer are found by queries."""

BATCH_ROWS: Final = 800
"""Spans of one look: more than 1,000 a second; what is beyond is counted and left out."""

KNOWN_SPANS: Final = 50_000
"""Spans remembered as sent."""

TAIL_TIMEOUT_S: Final = 5.0
"""Seconds that a look may take; a filter that takes longer is no filter to watch by."""

_HEAD: Final = "trace_id, span_id, name, type, status_code, start_ns, duration_ns, scores"


class LiveTail:
    """One watcher's view of what arrives.

    Args:
        run: answers SQL.
        where: a condition of spans, empty for all.
        columns: further expressions by the names they get.
    """

    def __init__(self, run: RowQuery, where: str, columns: dict[str, str]) -> None:
        for text in columns.values():
            check_expression(text)
        self._run = run
        self._where = where
        self._columns = [f'{text} AS "{_plain(name)}"' for name, text in columns.items()]
        self._known: BoundedCache[str, bool] = BoundedCache(KNOWN_SPANS)
        self._begun = False

    def look(self) -> tuple[list[dict[str, Any]], int]:
        """Returns the spans that are new since the last look, newest first, and how many were left out."""
        selection = Selection("spans", self._where, time.time_ns() - WINDOW_NS)
        found = self._run(
            f"SELECT trace_id, span_id, start_ns FROM spans WHERE {selection.condition()} "
            f"ORDER BY {END_NS} DESC LIMIT {2 * BATCH_ROWS}",
            timeout_s=TAIL_TIMEOUT_S,
        ).rows()
        fresh = [row for row in found if self._is_new(f"{row['trace_id']}{row['span_id']}")]
        if not self._begun:
            # What is there when somebody begins to watch has not just arrived.
            self._begun = True
            return [], 0
        sent, left_out = fresh[:BATCH_ROWS], len(fresh[BATCH_ROWS:])
        return (self._rows(sent) if sent else []), left_out

    def _is_new(self, name: str) -> bool:
        if self._known.get(name):
            return False
        self._known.put(name, True)
        return True

    def _rows(self, spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ids = ", ".join(quoted(row["span_id"]) for row in spans)
        times = [row["start_ns"] for row in spans]
        return self._run(
            f"SELECT {', '.join([_HEAD, *self._columns])} FROM spans WHERE span_id IN ({ids}) "
            f"AND start_ns >= {min(times)} AND start_ns <= {max(times)} ORDER BY start_ns DESC",
            timeout_s=TAIL_TIMEOUT_S,
        ).rows()


def _plain(name: str) -> str:
    return name.replace('"', '""')
