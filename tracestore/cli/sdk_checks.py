"""What is missing of the model calls that arrived lately, and why: `tracestore doctor --sdk`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

Mark = Literal["ok", "note", "FAIL"]

CONTENT: Final = (
    (
        "opentelemetry.instrumentation.openai_v2",
        "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true and send logs here as well",
    ),
    (
        "opentelemetry.instrumentation.google_genai",
        "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true and send logs here as well",
    ),
    (
        "gcp.vertex.agent",
        "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true or ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=true",
    ),
    (
        "semantic_kernel",
        "set SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE=true and send logs here",
    ),
    ("agent_framework", "set ENABLE_SENSITIVE_DATA=true"),
    ("@opentelemetry/instrumentation-openai", "set captureMessageContent: true and send logs here"),
    ("openinference.", "take OPENINFERENCE_HIDE_INPUTS and OPENINFERENCE_HIDE_OUTPUTS away"),
    ("opentelemetry.instrumentation.", "set TRACELOOP_TRACE_CONTENT=true"),
    ("ai", "leave recordInputs and recordOutputs of experimental_telemetry on"),
    ("pydantic-ai", "leave include_content of InstrumentationSettings on"),
    ("logfire", "leave content capturing of the instrumentation on"),
)
"""How content is switched on, by the beginning of an instrumentation's name; the first that fits counts."""

_ANY: Final = "its instrumentation leaves content out; see docs/guide/sdks"

_SCOPES: Final = """
    SELECT coalesce(scope_name, '') AS scope, count(*) AS spans,
        count(*) FILTER (WHERE type = 'llm' AND status_code <> 'ERROR') AS calls,
        count(*) FILTER (WHERE type = 'llm' AND status_code <> 'ERROR' AND input IS NULL) AS unasked,
        count(*) FILTER (WHERE type = 'llm' AND status_code <> 'ERROR' AND output IS NULL) AS unanswered,
        count(*) FILTER (WHERE type = 'llm' AND status_code <> 'ERROR' AND metrics.tokens IS NULL) AS uncounted,
        count(*) FILTER (WHERE type = 'llm' AND metadata.model IS NULL) AS unnamed
    FROM spans WHERE start_time > now() - $minutes * INTERVAL 1 MINUTE
    GROUP BY 1 ORDER BY 1"""

_NESTED: Final = """
    SELECT coalesce(below.scope_name, '') AS inner_scope, coalesce(above.scope_name, '') AS outer_scope,
        count(*) AS calls
    FROM spans AS below JOIN spans AS above
    ON below.project = above.project AND below.trace_id = above.trace_id AND below.parent_span_id = above.span_id
    WHERE below.metrics.tokens IS NOT NULL AND above.metrics.tokens IS NOT NULL
        AND below.start_time > now() - $minutes * INTERVAL 1 MINUTE
        AND above.start_time > now() - $minutes * INTERVAL 1 MINUTE
    GROUP BY 1, 2 ORDER BY 1, 2"""

_APART: Final = """
    SELECT coalesce(own.scope_name, '') AS inner_scope, coalesce(other.scope_name, '') AS outer_scope, count(*) AS calls
    FROM spans AS own JOIN spans AS other
    ON own.project = other.project AND own.trace_id <> other.trace_id AND own.metrics.tokens = other.metrics.tokens
        AND own.start_ns BETWEEN other.start_ns AND other.start_ns + other.duration_ns
    WHERE own.is_root AND NOT other.is_root AND own.type = 'llm' AND other.type = 'llm'
        AND own.scope_name <> other.scope_name
        AND own.start_time > now() - $minutes * INTERVAL 1 MINUTE
        AND other.start_time > now() - $minutes * INTERVAL 1 MINUTE
    GROUP BY 1, 2 ORDER BY 1, 2"""


def sdk_findings(source: Any, minutes: int) -> Iterator[tuple[Mark, str, str]]:
    """Yields what was looked at and what was found, of the spans of the last minutes.

    Args:
        source: answers SQL: a store or a client.
        minutes: how far back spans are looked at, by their start.
    """
    when = {"minutes": minutes}
    scopes = source.sql(_SCOPES, when).rows()
    if not scopes:
        text = (
            f"none in the last {minutes} minutes; point OTEL_EXPORTER_OTLP_ENDPOINT at the server, "
            "and end the program's tracer so that it sends what it holds"
        )
        yield "note", "spans", text
        return
    total = sum(row["spans"] for row in scopes)
    yield (
        "ok",
        "spans",
        f"{total} in the last {minutes} minutes from {len(scopes)} instrumentations",
    )
    for row in scopes:
        yield from _of_calls(row)
    for row in source.sql(_NESTED, when).rows():
        text = (
            f"{row['inner_scope']} and {row['outer_scope']} both report {row['calls']} calls, one inside the other; "
            "traces count them once, switch one off to store them once"
        )
        yield "note", "twice", text
    for row in source.sql(_APART, when).rows():
        text = (
            f"{row['inner_scope']} and {row['outer_scope']} both report {row['calls']} calls, in traces of their own; "
            "traces count them once, switch one off to store them once"
        )
        yield "note", "twice", text


def _of_calls(row: dict[str, Any]) -> Iterator[tuple[Mark, str, str]]:
    """Yields what is missing of the model calls of one instrumentation."""
    scope, calls = row["scope"] or "(no name)", row["calls"]
    if not calls:
        return
    faults = 0
    for count, what in ((row["unasked"], "input"), (row["unanswered"], "output")):
        if count:
            faults += 1
            yield (
                "note",
                "content",
                f"{scope}: {count} of {calls} calls have no {what}; {_remedy(scope)}",
            )
    if row["uncounted"]:
        faults += 1
        text = (
            f"{scope}: {row['uncounted']} of {calls} calls have no tokens; a stream has them only where it is asked "
            'to: stream_options={"include_usage": true}'
        )
        yield "note", "tokens", text
    if row["unnamed"]:
        faults += 1
        yield "note", "model", f"{scope}: {row['unnamed']} calls name no model"
    if not faults:
        yield "ok", "calls", f"{scope}: {calls} calls with input, output, model and tokens"


def _remedy(scope: str) -> str:
    return next((remedy for start, remedy in CONTENT if scope.startswith(start)), _ANY)
