"""What HTTP and gRPC answer to an OTLP request: one outcome or refusal, in the request's own encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from tracestore.content_types import JSON
from tracestore.errors import (
    CatalogError,
    LimitExceededError,
    PayloadError,
    ProjectForbiddenError,
    ReadOnlyError,
    StorageFullError,
    StoreClosedError,
    StoreFailedError,
    TraceStoreError,
    UnsupportedPayloadError,
)
from tracestore.store import IngestReport
from tracestore_ingest.admission import RETRY_AFTER_SECONDS, Busy

MAX_MESSAGE_CHARACTERS: Final = 4096
"""A partial success names the first reasons only: clients bound what they read, and log it."""

MAX_SHOWN_REASONS: Final = 10
"""Refused rows that a partial success names."""

# The message of each signal, and the name of its count.
_RESPONSES: Final[dict[str, tuple[Any, str]]] = {
    "traces": (trace_service_pb2.ExportTraceServiceResponse, "rejected_spans"),
    "logs": (logs_service_pb2.ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (metrics_service_pb2.ExportMetricsServiceResponse, "rejected_data_points"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an accepted request came to: a count of refused rows, and what to say of it."""

    rejected: int = 0
    message: str = ""


METRICS_OUTCOME: Final = Outcome(
    0,
    "metrics are not stored: this store keeps traces and logs; turn the metrics exporter off "
    "(OTEL_METRICS_EXPORTER=none)",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a request is refused.

    Attributes:
        http_status: over HTTP.
        grpc_code: over gRPC, and in the `Status` that HTTP answers.
        may_retry: whether sending the request again can help.
    """

    http_status: int
    grpc_code: int
    may_retry: bool = False


# The most special type first.
_REFUSALS: Final[tuple[tuple[type[Exception], Refusal], ...]] = (
    (Busy, Refusal(503, code_pb2.UNAVAILABLE, may_retry=True)),
    (LimitExceededError, Refusal(413, code_pb2.RESOURCE_EXHAUSTED)),
    (UnsupportedPayloadError, Refusal(415, code_pb2.INVALID_ARGUMENT)),
    (PayloadError, Refusal(400, code_pb2.INVALID_ARGUMENT)),
    (ProjectForbiddenError, Refusal(403, code_pb2.PERMISSION_DENIED)),
    (StorageFullError, Refusal(503, code_pb2.UNAVAILABLE, may_retry=True)),
    (StoreFailedError, Refusal(503, code_pb2.UNAVAILABLE, may_retry=True)),
    (StoreClosedError, Refusal(503, code_pb2.UNAVAILABLE, may_retry=True)),
    (CatalogError, Refusal(503, code_pb2.UNAVAILABLE, may_retry=True)),
    (ReadOnlyError, Refusal(503, code_pb2.UNAVAILABLE, may_retry=True)),
    (TraceStoreError, Refusal(400, code_pb2.INVALID_ARGUMENT)),
)


def refusal_of(error: TraceStoreError | Busy) -> Refusal:
    """Returns how a request that failed so is refused."""
    return next(refusal for kind, refusal in _REFUSALS if isinstance(error, kind))


def message_of(error: TraceStoreError | Busy) -> str:
    """Returns what a client should hear of an error."""
    return str(error) or "the server is busy; send the request again"


# What helps against a refusal, the most special type first.
_REMEDIES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (Busy, "it will be sent again; give the server more cores, or senders larger batches"),
    (LimitExceededError, "send smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)"),
    (UnsupportedPayloadError, "send OTLP as protobuf or JSON, plain or gzip, deflate or zstd"),
    (ProjectForbiddenError, "send to a project that the key is bound to, or make another key"),
    (StorageFullError, "make room on the disk; it will be sent again"),
    (CatalogError, "see that the catalog's database answers; it will be sent again"),
    (ReadOnlyError, "send to a node that takes rows"),
    (StoreFailedError, "see the log of the store above, then start the server again"),
    (Exception, "check the exporter's endpoint, protocol and version"),
)


def remedy_of(error: TraceStoreError | Busy) -> str:
    """Returns what the operator of a server can do about a refusal."""
    return next(remedy for kind, remedy in _REMEDIES if isinstance(error, kind))


def outcome_of(report: IngestReport, signal: str) -> Outcome:
    """Returns what a client should hear of a report; of one without a flaw, nothing."""
    sentences: list[str] = []
    if report.rejected_rows:
        reasons = [
            f"row {row} at byte {offset}: {reason}"
            for row, offset, reason in report.rejected[:MAX_SHOWN_REASONS]
        ]
        more = report.rejected_rows - len(reasons)
        if more > 0:
            reasons.append(f"and {more} more")
        sentences.append("; ".join(reasons) + _signal_hint(report, signal))
    if report.early:
        sentences.append(
            f"{report.early} rows have a time before 1973; times are nanoseconds since 1970, "
            "and these look like milliseconds or microseconds"
        )
    if report.negative:
        sentences.append(f"{report.negative} spans end before they start and are kept so")
    if report.repaired_strings:
        sentences.append(f"{report.repaired_strings} strings were not UTF-8 and hold U+FFFD now")
    if report.spilled_values:
        sentences.append(
            f"{report.spilled_values} values are kept without a column: too many distinct paths"
        )
    return Outcome(report.rejected_rows, ". ".join(sentences)[:MAX_MESSAGE_CHARACTERS])


def _signal_hint(report: IngestReport, signal: str) -> str:
    """Returns what to add to a refusal of every row: logs decode as spans without ids."""
    if signal != "traces" or report.rows or report.duplicates:
        return ""
    if all("trace_id" in reason for _, _, reason in report.rejected):
        return "; if these are logs, send them to /v1/logs"
    return ""


def success(outcome: Outcome, signal: str, content_type: str) -> bytes:
    """Returns the response of an accepted request; an empty one where there is nothing to say."""
    if outcome == Outcome():
        return b"{}" if content_type == JSON else b""
    response_type, rejected_name = _RESPONSES[signal]
    response = response_type()
    setattr(response.partial_success, rejected_name, outcome.rejected)
    response.partial_success.error_message = _text(outcome.message)
    return _encoded(response, content_type)


def failure(grpc_code: int, message: str, content_type: str) -> bytes:
    """Returns the google.rpc.Status of a refused request."""
    return _encoded(_status(grpc_code, message), content_type)


def retry_info() -> bytes:
    """Returns a google.rpc.RetryInfo: send the request again after RETRY_AFTER_SECONDS."""
    encoded: bytes = _retry_info().SerializeToString()
    return encoded


def status_with_retry(message: str) -> bytes:
    """Returns a google.rpc.Status of UNAVAILABLE with RetryInfo among its details."""
    status = _status(code_pb2.UNAVAILABLE, message)
    status.details.add().Pack(_retry_info())
    encoded: bytes = status.SerializeToString()
    return encoded


def _retry_info() -> Any:
    return error_details_pb2.RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_SECONDS))


def _status(grpc_code: int, message: str) -> Any:
    return status_pb2.Status(code=grpc_code, message=_text(message[:MAX_MESSAGE_CHARACTERS]))


def _encoded(message: Any, content_type: str) -> bytes:
    if content_type == JSON:
        text: str = json_format.MessageToJson(message, indent=None)
        return text.encode()
    encoded: bytes = message.SerializeToString()
    return encoded


def _text(text: str) -> str:
    """Returns a text as protobuf takes it: a lone surrogate, which UTF-8 has no bytes for, becomes `?`."""
    return text.encode("utf-8", "replace").decode()
