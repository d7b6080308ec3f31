"""OTLP's answers, in the request's own encoding, written by hand: two messages of two fields.

Export…ServiceResponse { partial_success = 1 { rejected = 1 (int64), error_message = 2 } } and
google.rpc.Status { code = 1, message = 2 }.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from tracestore.store import IngestReport

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

MAX_MESSAGE_CHARACTERS: Final = 4096
"""A partial success names the first reasons only: clients bound what they read, and log it."""

_REJECTED_NAME: Final = {
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
    "metrics": "rejectedDataPoints",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Is what a request came to: nothing to say, or a count of refused rows and why."""

    rejected: int = 0
    message: str = ""


def outcome_of(report: IngestReport, hint: str = "") -> Outcome:
    """Returns what a client should hear of a report, and a hint behind its refusals; an all-good one is empty."""
    parts: list[str] = []
    if report.rejected_rows:
        shown = [
            f"row {row} at byte {offset}: {reason}" for row, offset, reason in report.rejected[:10]
        ]
        more = report.rejected_rows - len(shown)
        parts.append("; ".join(shown) + (f"; and {more} more" if more > 0 else "") + hint)
    if report.repaired_strings:
        parts.append(f"{report.repaired_strings} strings were not UTF-8 and hold U+FFFD now")
    if report.spilled_values:
        parts.append(
            f"{report.spilled_values} values are kept without a column: too many distinct paths"
        )
    return Outcome(report.rejected_rows, ". ".join(parts)[:MAX_MESSAGE_CHARACTERS])


def success(outcome: Outcome, signal: str, content_type: str) -> bytes:
    """Returns the response of an accepted request; empty where there is nothing to say."""
    if content_type == JSON:
        body: dict[str, object] = {}
        if outcome.rejected or outcome.message:
            body["partialSuccess"] = {
                _REJECTED_NAME[signal]: str(outcome.rejected),
                "errorMessage": outcome.message,
            }
        return json.dumps(body).encode()
    if not (outcome.rejected or outcome.message):
        return b""
    partial = b""
    if outcome.rejected:
        partial += b"\x08" + _varint(outcome.rejected)
    if outcome.message:
        partial += _text(2, outcome.message)
    return b"\x0a" + _varint(len(partial)) + partial


def failure(code: int, message: str, content_type: str) -> bytes:
    """Returns the Status of a refused request; `code` is a gRPC status code."""
    message = message[:MAX_MESSAGE_CHARACTERS]
    if content_type == JSON:
        return json.dumps({"code": code, "message": message}).encode()
    return b"\x08" + _varint(code) + _text(2, message)


def retry_info(seconds: int) -> bytes:
    """Returns a google.rpc.RetryInfo: send the request again after so long."""
    duration = b"\x08" + _varint(seconds)
    return b"\x0a" + _varint(len(duration)) + duration


def status_with_retry(seconds: int) -> bytes:
    """Returns a google.rpc.Status of UNAVAILABLE with RetryInfo among its details."""
    info = retry_info(seconds)
    packed = (
        _text(1, "type.googleapis.com/google.rpc.RetryInfo") + b"\x12" + _varint(len(info)) + info
    )
    return b"\x08" + _varint(14) + b"\x1a" + _varint(len(packed)) + packed


def _text(field: int, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return bytes([field << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
