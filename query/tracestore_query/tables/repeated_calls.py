"""Model calls that a second instrumentation reports again."""

from __future__ import annotations

from typing import Final

from tracestore_query.tables.span_end import END_NS

METRICS: Final = {
    "prompt_tokens": "BIGINT",
    "completion_tokens": "BIGINT",
    "tokens": "BIGINT",
    "estimated_cost": "DOUBLE",
}
"""The numbers of a call that a trace sums, by their types."""


STREAM_TOKENS: Final = 8
"""Tokens by which two counts of one answer may differ: instrumentations that add up the events of a stream count what
the first event reports twice, which is few."""


def each(pattern: str, separator: str = ", ") -> str:
    """Returns a pattern of SQL for each metric."""
    return separator.join(pattern.format(m=name, kind=kind) for name, kind in METRICS.items())


def _same_call(also: str, only: str) -> str:
    """Returns the calls that began while another scope had one like it open.

    What was open at a time is the latest end of all that began before. Calls that begin at the same time are told
    apart by their scopes' names, so that one of both counts. Most stores have no call that two scopes report: calls
    without one alike are left out before anything is sorted.

    Args:
        also: the column that both must share besides their numbers.
        only: a condition on the later call.
    """
    keys = ("project", also, "asked")
    shared = " AND ".join(f"{{0}}.{key} = {{1}}.{key}" for key in keys)
    alike = f"""
            SELECT calls.* FROM calls SEMI JOIN (
                SELECT {", ".join(keys)} FROM calls GROUP BY {", ".join(keys)}
                HAVING min(scope_name) <> max(scope_name)
            ) AS several ON {shared.format("calls", "several")}"""  # noqa: S608 - made of this file's own words
    return f"""
        SELECT own.project, own.trace_id, own.span_id,
            {each("own.{m} IS NOT NULL AND other.{m} IS NOT NULL AS {m}")}
        FROM (
            SELECT later.*, scopes.scope_name AS other_scope
            FROM ({alike}) AS later JOIN (SELECT DISTINCT project, scope_name FROM calls) AS scopes
            ON later.project = scopes.project AND later.scope_name <> scopes.scope_name
            WHERE {only}
        ) AS own
        ASOF JOIN (
            SELECT *, max(end_ns) OVER (
                PARTITION BY {", ".join(keys)}, scope_name ORDER BY start_ns
            ) AS open_until_ns
            FROM ({alike}) AS sooner
        ) AS other
        ON {shared.format("own", "other")}
            AND own.other_scope = other.scope_name AND own.start_ns >= other.start_ns
        WHERE other.open_until_ns >= own.start_ns AND coalesce(own.provider = other.provider, true)
            AND abs(own.answered - other.answered) <= {STREAM_TOKENS}
            AND (own.start_ns > other.start_ns OR own.scope_name > other.scope_name)"""  # noqa: S608 - made of this file's own words


REPEATED_CALLS: Final = f"""
    WITH calls AS (
        SELECT project, trace_id, span_id, parent_span_id, is_root, start_ns,
            {END_NS} AS end_ns,
            coalesce(service, '') AS service, coalesce(scope_name, '') AS scope_name,
            metadata.provider::VARCHAR AS provider,
            coalesce(metrics.prompt_tokens::BIGINT, metrics.tokens::BIGINT) AS asked,
            coalesce(metrics.completion_tokens::BIGINT, 0) AS answered,
            {each("metrics.{m}::{kind} AS {m}")}
        FROM spans WHERE {each("metrics.{m} IS NOT NULL", " OR ")}
    ),
    nested AS (
        SELECT own.project, own.trace_id, own.span_id, above.span_id AS above_id,
            {each("own.{m}")}, {each("above.{m} AS above_{m}")}
        FROM calls AS own JOIN calls AS above
        ON own.project = above.project AND own.trace_id = above.trace_id
            AND own.parent_span_id = above.span_id AND own.span_id <> above.span_id
    ),
    below AS (
        SELECT project, trace_id, above_id AS span_id,
            {each("sum({m}) AS {m}")}, {each("max(above_{m}) AS above_{m}")}
        FROM nested GROUP BY project, trace_id, above_id
    )
    SELECT project, trace_id, span_id, {each("coalesce(bool_or({m}), false) AS {m}")}
    FROM (
        SELECT nested.project, nested.trace_id, nested.span_id,
            {each("nested.above_{m} >= below.{m} AS {m}")}
        FROM nested JOIN below
        ON nested.project = below.project AND nested.trace_id = below.trace_id
            AND nested.above_id = below.span_id
        UNION ALL
        SELECT project, trace_id, span_id, {each("above_{m} < {m} AS {m}")} FROM below
        UNION ALL
        {_same_call("service", "later.is_root")}
        UNION ALL
        {_same_call("trace_id", "NOT later.is_root AND later.span_id NOT IN (SELECT span_id FROM nested)")}
    ) AS told
    GROUP BY project, trace_id, span_id
    HAVING {each("coalesce(bool_or({m}), false)", " OR ")}
"""  # noqa: S608 - made of this file's own words
"""Calls that a second instrumentation reports again, and which of their metrics count elsewhere.

A call inside of a call is the same call; of the outer one and of those directly inside of it, those count that report
more. A call that begins while one of another scope is open, with the same counts, is the same call as well: in
one trace, or as the root of a trace of its own in the same service.
"""
