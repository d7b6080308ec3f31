"""OTLP over gRPC: raw bytes in, raw bytes out; no protobuf object is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import grpc

from tracestore.content_types import PROTOBUF
from tracestore.errors import TraceStoreError
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.store import Store
from tracestore_ingest import otlp_answers
from tracestore_ingest.admission import Admission, Busy
from tracestore_ingest.arrivals import Arrivals
from tracestore_ingest.export import ExportRequest, store_export
from tracestore_ingest.key_projects import Projects, Unauthenticated
from tracestore_ingest.meter import IngestMeter
from tracestore_ingest.otlp_answers import METRICS_OUTCOME

SERVICES: Final = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}

THREADS: Final = 16
"""Calls that are served at once: each waits for its message or for a sync most of the time. They bound memory, too:
of a call that waits for a thread nothing is read beyond a window of some kilobytes."""

MAX_CALLS: Final = 1024
"""Calls under way or waiting; beyond it one is refused at once."""

MAX_STREAMS: Final = 100
"""Calls at once of one connection; an exporter has a few."""

IDLE_S: Final = 300
"""Seconds without a call after which a connection is closed: exporters send every five, and connect again."""

MAX_METADATA_BYTES: Final = 16 * 1024

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

Authenticate = Callable[[Mapping[str, str]], Projects]
"""Returns the projects that a request's metadata allow; raises Unauthenticated or ProjectForbiddenError."""

Handler = Callable[[Iterator[bytes], grpc.ServicerContext], bytes]


@dataclass(frozen=True, slots=True)
class GrpcBounds:
    """What connections and calls may take.

    Attributes:
        message_timeout_s: seconds in which a call's message must come whole.
        handshake_timeout_s: seconds in which a connection must begin.
        max_connections: at once; beyond it a new one is closed.
    """

    message_timeout_s: float
    handshake_timeout_s: float
    max_connections: int


class GrpcServer:
    """OTLP over gRPC at one port.

    Args:
        store: takes the rows.
        admission: counts bytes of messages under way.
        address: `host:port`; port 0 picks one.
        authenticate: tells which projects a call may write to.
        bounds: of connections and calls.
        meter: measures requests.

    Raises:
        OSError: where the address cannot be bound.

    Attributes:
        port: it listens on.
    """

    def __init__(
        self,
        store: Store,
        admission: Admission,
        address: str,
        authenticate: Authenticate,
        bounds: GrpcBounds,
        meter: IngestMeter,
    ) -> None:
        self._server = _server(bounds)
        # One sender holds half of the threads at most with what it has not sent.
        self._arrivals = Arrivals(bounds.message_timeout_s, THREADS // 2)
        try:
            self.port = _bound(self._server, address)
            for signal, service in SERVICES.items():
                export = _export(store, admission, signal, authenticate, self._arrivals, meter)
                # A handler of a stream is called before the message has come: a call without a key is refused
                # unread. To a client it is the same.
                handlers = {"Export": grpc.stream_unary_rpc_method_handler(export)}
                self._server.add_generic_rpc_handlers(
                    (grpc.method_handlers_generic_handler(service, handlers),)
                )
        except BaseException:
            self._arrivals.close()
            raise

    def start(self) -> None:
        """Takes calls from now on."""
        self._server.start()

    def stop(self, grace_s: float) -> None:
        """Takes no more calls; returns when those under way have ended, at most so much later."""
        self._server.stop(grace_s).wait()
        self._arrivals.close()


def _server(bounds: GrpcBounds) -> grpc.Server:
    return grpc.server(
        ThreadPoolExecutor(THREADS, thread_name_prefix="otlp-grpc"),
        maximum_concurrent_rpcs=MAX_CALLS,
        options=[
            ("grpc.max_receive_message_length", MAX_PAYLOAD_BYTES),
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
            ("grpc.max_concurrent_streams", MAX_STREAMS),
            ("grpc.max_allowed_incoming_connections", bounds.max_connections),
            ("grpc.max_connection_idle_ms", IDLE_S * 1000),
            ("grpc.server_handshake_timeout_ms", int(bounds.handshake_timeout_s * 1000)),
            ("grpc.so_reuseport", 0),
        ],
    )


def _bound(server: grpc.Server, address: str) -> int:
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from None
    if port == 0:
        raise OSError(f"cannot listen on {address}: the port is taken; choose another --grpc-port")
    return int(port)


def _export(
    store: Store,
    admission: Admission,
    signal: str,
    authenticate: Authenticate,
    arrivals: Arrivals,
    meter: IngestMeter,
) -> Handler:
    def export(messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        headers = {str(key): str(value) for key, value in context.invocation_metadata()}
        try:
            allowed = authenticate(headers)
            with arrivals.awaited(_sender(headers, context), context.cancel):
                body = next(messages, b"")
            if signal == "metrics":
                return otlp_answers.success(METRICS_OUTCOME, signal, PROTOBUF)
            request = ExportRequest(signal, body, PROTOBUF, None, headers, allowed)
            with meter.measured(signal, _peer(context)), admission.hold(len(body)):
                outcome = store_export(store, request)
        except Unauthenticated as error:
            meter.unauthenticated(signal, _peer(context), str(error))
            context.set_code(grpc.StatusCode.UNAUTHENTICATED)
            context.set_details(str(error))
            return b""
        except (TraceStoreError, Busy) as error:
            return _refused(error, context)
        meter.rows_refused(signal, _peer(context), outcome)
        return otlp_answers.success(outcome, signal, PROTOBUF)

    return export


def _peer(context: grpc.ServicerContext) -> str:
    """Returns the address that a call comes from, without its port."""
    return str(context.peer()).rpartition(":")[0]


def _sender(headers: Mapping[str, str], context: grpc.ServicerContext) -> str:
    """Returns who sends: the key where there is one, else the address."""
    key = headers.get("authorization") or headers.get("x-api-key")
    return key or _peer(context)


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
