"""OTLP/JSON of another signal: its keys are unknown to this one's, and would pass as a request without rows."""

from __future__ import annotations

from typing import Final

from tracestore.errors import PayloadError

_KEYS: Final = {
    "traces": b'"resourceSpans"',
    "logs": b'"resourceLogs"',
    "metrics": b'"resourceMetrics"',
}


# What older and other writers call what holds the rows; a reader of today's names finds none.
_SCOPES: Final = {
    "traces": (b'"scopeSpans"', (b'"scope_spans"', b'"instrumentationLibrarySpans"')),
    "logs": (b'"scopeLogs"', (b'"scope_logs"', b'"instrumentationLibraryLogs"')),
}
_SNAKE_CASE: Final = {"traces": b'"resource_spans"', "logs": b'"resource_logs"'}


def check_signal(payload: bytes, signal: str) -> None:
    """Raises PayloadError for JSON that holds no row of this signal by the names of OTLP, but by others.

    It names where a request of another signal belongs, and what a name should be.
    """
    if _KEYS[signal] in payload:
        _check_scopes(payload, signal)
        return
    for other, key in _KEYS.items():
        if key in payload:
            raise PayloadError(f"this is a request of {other}; send it to /v1/{other}")
    if signal in _SNAKE_CASE and _SNAKE_CASE[signal] in payload:
        raise _misnamed(_SNAKE_CASE[signal], _KEYS[signal])


def _check_scopes(payload: bytes, signal: str) -> None:
    wanted, others = _SCOPES.get(signal, (b"", ()))
    if wanted in payload:
        return
    for name in others:
        if name in payload:
            raise _misnamed(name, wanted)


def _misnamed(name: bytes, wanted: bytes) -> PayloadError:
    return PayloadError(f"unexpected name {name.decode()}; OTLP as JSON has {wanted.decode()}")
