"""OTLP over gRPC: raw bytes in, raw bytes out; no protobuf object is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc

from tracestore.content_types import PROTOBUF
from tracestore.errors import TraceStoreError
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.store import Store
from tracestore_ingest import otlp_answers
from tracestore_ingest.admission import Admission, Busy
from tracestore_ingest.export import ExportRequest, store_export
from tracestore_ingest.key_projects import Projects, Unauthenticated
from tracestore_ingest.otlp_answers import METRICS_OUTCOME

SERVICES: Final = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}

WORKERS: Final = 8
"""Threads: each waits for a sync most of the time, and shredding lets the interpreter go."""

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

Authenticate = Callable[[Mapping[str, str]], Projects]
"""Returns the projects that a request's metadata allow; raises Unauthenticated or ProjectForbiddenError."""

Handler = Callable[[bytes, grpc.ServicerContext], bytes]


def grpc_server(
    store: Store, admission: Admission, address: str, authenticate: Authenticate
) -> tuple[grpc.Server, int]:
    """Returns a server bound to `host:port` that is not started yet, and its port.

    Raises:
        OSError: where the address cannot be bound.
    """
    server = grpc.server(
        ThreadPoolExecutor(WORKERS, thread_name_prefix="otlp-grpc"),
        options=[
            ("grpc.max_receive_message_length", MAX_PAYLOAD_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    for signal, service in SERVICES.items():
        handler = grpc.unary_unary_rpc_method_handler(
            _export(store, admission, signal, authenticate)
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
        )
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from None
    if port == 0:
        raise OSError(f"cannot listen on {address}: the port is taken; choose another --grpc-port")
    return server, port


def _export(store: Store, admission: Admission, signal: str, authenticate: Authenticate) -> Handler:
    def export(body: bytes, context: grpc.ServicerContext) -> bytes:
        headers = {str(key): str(value) for key, value in context.invocation_metadata()}
        try:
            allowed = authenticate(headers)
            if signal == "metrics":
                return otlp_answers.success(METRICS_OUTCOME, signal, PROTOBUF)
            with admission.hold(len(body)):
                outcome = store_export(
                    store, ExportRequest(signal, body, PROTOBUF, None, headers, allowed)
                )
        except Unauthenticated as error:
            context.set_code(grpc.StatusCode.UNAUTHENTICATED)
            context.set_details(str(error))
            return b""
        except (TraceStoreError, Busy) as error:
            return _refused(error, context)
        return otlp_answers.success(outcome, signal, PROTOBUF)

    return export


def _refused(error: TraceStoreError | Busy, context: grpc.ServicerContext) -> bytes:
    refusal = otlp_answers.refusal_of(error)
    message = otlp_answers.message_of(error)
    if refusal.may_retry:
        # The standard place, and the one that the Python exporter reads.
        context.set_trailing_metadata(
            (
                ("grpc-status-details-bin", otlp_answers.status_with_retry(message)),
                ("google.rpc.retryinfo-bin", otlp_answers.retry_info()),
            )
        )
    context.set_code(_CODES[refusal.grpc_code])
    context.set_details(message)
    return b""
