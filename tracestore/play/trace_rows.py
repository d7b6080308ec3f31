"""What a run did, as rows of spans that are stored together: either all of it is there, or nothing."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SERVICE: Final = "tracestore-play"

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(slots=True)
class OpenSpan:
    """A span that has begun.

    Attributes:
        fields: columns of its row beside its ids, name and times.
    """

    trace: TraceRows
    name: str
    type: str
    parent_span_id: str | None
    fields: dict[str, Any] = field(default_factory=dict)
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))
    start_ns: int = field(default_factory=time.time_ns)
    _started_ns: int = field(default_factory=time.perf_counter_ns)

    def seconds(self) -> float:
        """Returns the seconds since it began."""
        return (time.perf_counter_ns() - self._started_ns) / 1e9

    def end(self, error: str | None = None, error_type: str | None = None, **fields: Any) -> None:
        """Adds its row to the trace.

        Args:
            error: why it failed, None where it did not.
            error_type: the kind of failure.
            fields: further columns; None is left out.
        """
        row = {
            "trace_id": self.trace.trace_id,
            "span_id": self.span_id,
            "name": self.name,
            "kind": "CLIENT" if self.type == "llm" else "INTERNAL",
            "type": self.type,
            "service": SERVICE,
            "start_ns": self.start_ns,
            "duration_ns": max(0, time.perf_counter_ns() - self._started_ns),
            "status_code": "OK" if error is None else "ERROR",
            **{
                name: value
                for name, value in {**self.fields, **fields}.items()
                if value is not None
            },
        }
        if self.parent_span_id is not None:
            row["parent_span_id"] = self.parent_span_id
        if error is not None:
            row["status_message"] = error
            row["error"] = {"type": error_type or "Error", "message": error}
        self.trace.rows.append(row)


class TraceRows:
    """The rows of one trace's spans.

    Args:
        trace_id: of a trace that there is, None for a new one.
        parent_span_id: below which span its first one is, None for none.
    """

    def __init__(self, trace_id: str | None = None, parent_span_id: str | None = None) -> None:
        self.trace_id = trace_id or secrets.token_hex(16)
        self.rows: list[dict[str, Any]] = []
        self._parent_span_id = parent_span_id

    @classmethod
    def below(cls, traceparent: str | None) -> TraceRows:
        """Returns the rows of a trace below the span that a header names, of a new one where it names none."""
        found = _TRACEPARENT.fullmatch((traceparent or "").strip().lower())
        if found is None or not int(found[1], 16) or not int(found[2], 16):
            return cls()
        return cls(found[1], found[2])

    def begin(
        self, name: str, span_type: str, parent: OpenSpan | None = None, **fields: Any
    ) -> OpenSpan:
        """Returns a span that begins now, below another one or below that of the trace."""
        parent_id = self._parent_span_id if parent is None else parent.span_id
        return OpenSpan(self, name, span_type, parent_id, fields)


def request_attributes(
    parameters: Mapping[str, Any], tools: Any, schema: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Returns the attributes of a call by the names of the GenAI conventions, so that it can be made again."""
    told = {f"gen_ai.request.{name}": value for name, value in parameters.items()}
    if tools:
        told["gen_ai.tool.definitions"] = tools
    if schema is not None:
        told["gen_ai.output.type"] = "json"
        told["tracestore.response_schema"] = dict(schema)
    return {"gen_ai.operation.name": "chat", **told}
