"""What other tools show of a span, as columns of a statement."""

from __future__ import annotations

from typing import Final

MAX_SPANS: Final = 100_000
"""Spans of one trace, and of all traces of one answer."""

SPAN_COLUMNS: Final = (
    "trace_id, span_id, parent_span_id, name, kind, start_ns, coalesce(duration_ns, 0) AS duration_ns, "
    "status_code, status_message, service, scope_name, scope_version, attributes, resource, events, links"
)
