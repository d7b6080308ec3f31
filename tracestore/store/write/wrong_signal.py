"""OTLP/JSON of another signal: its keys are unknown to this one's, and would pass as a request without rows."""

from __future__ import annotations

from typing import Final

from tracestore.errors import PayloadError

_KEYS: Final = {
    "traces": b'"resourceSpans"',
    "logs": b'"resourceLogs"',
    "metrics": b'"resourceMetrics"',
}


def check_signal(payload: bytes, signal: str) -> None:
    """Raises PayloadError for JSON without rows of this signal that has another's, naming where it belongs."""
    if _KEYS[signal] in payload:
        return
    for other, key in _KEYS.items():
        if key in payload:
            raise PayloadError(f"this is a request of {other}; send it to /v1/{other}")
