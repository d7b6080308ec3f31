"""Requests of another signal: an exporter whose endpoint names the wrong path would lose them in silence."""

from __future__ import annotations

from typing import Final

from tracestore.errors import PayloadError
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.store import IngestReport
from tracestore.store.write.decompress import decompress, normal_encoding

_KEYS: Final = {
    "traces": b'"resourceSpans"',
    "logs": b'"resourceLogs"',
    "metrics": b'"resourceMetrics"',
}


def check_signal(
    body: bytes, signal: str, content_type: str, encoding: str | None, report: IngestReport
) -> None:
    """Refuses OTLP/JSON that held no row of this signal but another's: unknown keys would pass as nothing.

    Raises:
        PayloadError: naming the path that the request belongs to.
    """
    if report.rows or report.duplicates or report.rejected_rows or not body:
        return
    if "json" not in content_type.lower():
        return
    plain = decompress(body, normal_encoding(encoding), MAX_PAYLOAD_BYTES)
    if _KEYS[signal] in plain:
        return
    for other, key in _KEYS.items():
        if key in plain:
            raise PayloadError(f"this is a request of {other}; send it to /v1/{other}", 0)


def hint(signal: str, report: IngestReport) -> str:
    """Returns what to add to a refusal of every row: logs decode as spans without ids."""
    if signal != "traces" or report.rows or report.duplicates or not report.rejected_rows:
        return ""
    if all("trace_id" in reason for _, _, reason in report.rejected):
        return "; if these are logs, send them to /v1/logs"
    return ""
