"""OTLP over gRPC: raw bytes in, raw bytes out; no protobuf object is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc

from tracestore.errors import TraceStoreError
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.store import Store
from tracestore_ingest import otlp_answers
from tracestore_ingest.admission import RETRY_AFTER_SECONDS, Admission, Busy
from tracestore_ingest.key_projects import Projects, Unauthenticated, bound_route, check_payload
from tracestore_ingest.otlp_answers import PROTOBUF, Outcome
from tracestore_ingest.otlp_http import METRICS_MESSAGE, STATUS_OF
from tracestore_ingest.request_route import route_of
from tracestore_ingest.wrong_signal import hint

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
            projects = authenticate(headers)
            if signal == "metrics":
                return otlp_answers.success(Outcome(0, METRICS_MESSAGE), signal, PROTOBUF)
            route = bound_route(route_of(headers), projects)
            check_payload(body, signal, PROTOBUF, None, route, projects)
            with admission.hold(len(body)):
                report = store.ingest_otlp(
                    body, signal, PROTOBUF, None, route.project, route.experiment
                )
        except Unauthenticated as error:
            context.set_code(grpc.StatusCode.UNAUTHENTICATED)
            context.set_details(str(error))
            return b""
        except (TraceStoreError, Busy) as error:
            return _refuse(error, context)
        return otlp_answers.success(
            otlp_answers.outcome_of(report, hint(signal, report)), signal, PROTOBUF
        )

    return export


def _refuse(error: Exception, context: grpc.ServicerContext) -> bytes:
    for kind, _, code, again in STATUS_OF:
        if isinstance(error, kind):
            if again:
                # The standard place, and the one that the Python exporter reads.
                context.set_trailing_metadata(
                    (
                        (
                            "grpc-status-details-bin",
                            otlp_answers.status_with_retry(RETRY_AFTER_SECONDS),
                        ),
                        ("google.rpc.retryinfo-bin", otlp_answers.retry_info(RETRY_AFTER_SECONDS)),
                    )
                )
            context.set_code(_CODES[code])
            context.set_details(str(error) or "the server is busy; send the request again")
            return b""
    raise error
