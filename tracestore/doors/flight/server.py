"""The gRPC server of Flight SQL: who may call, how much at once, and what an error is to a client."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import pyarrow as pa

from tracestore.doors.bearer import bearer_of
from tracestore.doors.flight.asking import Answer, App, BrokenError, RefusedError
from tracestore.doors.flight.messages import UnreadableError
from tracestore.doors.flight.service import Caller, FlightSql
from tracestore.errors import ProjectForbiddenError, TraceStoreError
from tracestore_ingest.admission import Busy
from tracestore_ingest.arrivals import Arrivals
from tracestore_ingest.key_projects import Unauthenticated

SERVICE: Final = "arrow.flight.protocol.FlightService"

THREADS: Final = 32
"""Calls that are served at once; an answer that is read slowly holds one."""

MAX_CALLS: Final = 256
"""Calls under way or waiting; beyond it one is refused at once."""

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Of a client's message: a million characters of SQL, and parameters."""

MAX_STREAMS: Final = 100
"""Calls at once of one connection."""

MAX_METADATA_BYTES: Final = 16 * 1024

_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}

Authenticate = Callable[[Mapping[str, str]], str]
"""Returns who calls; raises Unauthenticated or ProjectForbiddenError."""


@dataclass(frozen=True, slots=True)
class FlightSettings:
    """What the server may be told.

    Attributes:
        address: `host:port`; port 0 picks one.
        certificate, private_key: files of TLS in PEM; None for none.
        message_timeout_s: seconds in which a call's message must come whole.
        handshake_timeout_s: seconds in which a connection must begin.
        max_connections: at once.
    """

    address: str
    certificate: Path | None
    private_key: Path | None
    message_timeout_s: float
    handshake_timeout_s: float
    max_connections: int


class FlightServer:
    """Flight SQL at one port.

    Args:
        app: the application of the API, which answers statements.
        loop: gives the event loop that it answers on.
        authenticate: tells who calls.
        settings: where, and how much.

    Raises:
        OSError: where the address cannot be bound, or TLS's files cannot be read.

    Attributes:
        port: it listens on.
    """

    def __init__(
        self,
        app: App,
        loop: Callable[[], asyncio.AbstractEventLoop],
        authenticate: Authenticate,
        settings: FlightSettings,
    ) -> None:
        def ask(caller: Caller, body: Mapping[str, Any]) -> Answer:
            return Answer(app, loop(), "/api/query", body, caller.headers, caller.client)

        self._server = _server(settings)
        # One caller holds half of the threads at most with what it has not sent, and with what it has not read.
        arrivals = Arrivals(settings.message_timeout_s, THREADS // 2)
        self._calls = _Calls(FlightSql(ask), authenticate, arrivals)
        try:
            self.port = _bound(self._server, settings)
        except BaseException:
            arrivals.close()
            raise
        self._arrivals = arrivals
        handlers = grpc.method_handlers_generic_handler(SERVICE, self._calls.handlers())
        self._server.add_generic_rpc_handlers((handlers,))

    def start(self) -> None:
        """Takes calls from now on."""
        self._server.start()

    def stop(self, grace_s: float) -> None:
        """Takes no more calls; returns when those under way have ended, at most so much later."""
        self._server.stop(grace_s).wait()
        self._arrivals.close()


class _Calls:
    """The calls as gRPC hands them over."""

    def __init__(self, service: FlightSql, authenticate: Authenticate, arrivals: Arrivals) -> None:
        self._service = service
        self._authenticate = authenticate
        self._arrivals = arrivals
        self._lock = threading.Lock()
        self._of_caller: Counter[str] = Counter()

    def handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        """Returns each method's handler. All read a stream: a call without a key is refused unread."""
        service = self._service
        unary = {"GetFlightInfo": service.get_flight_info, "GetSchema": service.get_schema}
        streams: dict[str, Callable[..., Iterator[bytes]]] = {
            "DoGet": self._do_get,
            "DoPut": lambda caller, requests, _: service.do_put(caller, requests),
            "DoAction": lambda caller, requests, _: service.do_action(caller, _one(requests)),
            "ListActions": lambda *_: service.list_actions(),
            "ListFlights": lambda *_: iter(()),
            "Handshake": self._handshake,
        }
        made = {
            name: grpc.stream_unary_rpc_method_handler(self._unary(work))
            for name, work in unary.items()
        }
        return made | {
            name: grpc.stream_stream_rpc_method_handler(self._stream(work))
            for name, work in streams.items()
        }

    def _unary(self, work: Callable[[Caller, bytes], bytes]) -> Callable[..., bytes]:
        def call(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            with self._called(context) as caller:
                return work(caller, _one(self._arriving(requests, caller, context)))
            return b""  # the context has the error

        return call

    def _stream(self, work: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
        def call(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            with self._called(context) as caller:
                yield from work(caller, self._arriving(requests, caller, context), context)

        return call

    def _do_get(
        self, caller: Caller, requests: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        def on_end(end: Callable[[], None]) -> None:
            if not context.add_callback(end):
                end()

        with self._held(caller):
            yield from self._service.do_get(caller, _one(requests), on_end)

    def _handshake(
        self, caller: Caller, _: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        """Gives the bearer's key of a pair back, as drivers expect that log in with a name and a password."""
        value = caller.headers.get("authorization", "")
        context.send_initial_metadata((("authorization", value),))
        return iter(())

    @contextmanager
    def _held(self, caller: Caller) -> Iterator[None]:
        """Holds one of the caller's share of threads inside."""
        name = caller.name or caller.client
        with self._lock:
            if self._of_caller[name] >= THREADS // 2:
                raise Busy
            self._of_caller[name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._of_caller[name] -= 1
                if not self._of_caller[name]:
                    del self._of_caller[name]

    def _arriving(
        self, requests: Iterator[bytes], caller: Caller, context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        """Yields the messages of a call; one that does not come in time ends it."""
        while True:
            with self._arrivals.awaited(caller.name or caller.client, context.cancel):
                message = next(requests, None)
            if message is None:
                return
            yield message

    @contextmanager
    def _called(self, context: grpc.ServicerContext) -> Iterator[Caller]:
        """Gives the caller; what is raised inside becomes the status of the call."""
        try:
            yield self._caller(context)
        except Unauthenticated as error:
            _fail(context, grpc.StatusCode.UNAUTHENTICATED, str(error))
        except ProjectForbiddenError as error:
            _fail(context, grpc.StatusCode.PERMISSION_DENIED, str(error))
        except UnreadableError as error:
            _fail(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except RefusedError as error:
            _fail(context, _CODES.get(error.status, grpc.StatusCode.INTERNAL), str(error))
        except BrokenError as error:
            _fail(context, grpc.StatusCode.ABORTED, str(error))
        except TraceStoreError as error:
            _fail(context, grpc.StatusCode.UNAVAILABLE, str(error))
        except Busy:
            _fail(context, grpc.StatusCode.UNAVAILABLE, "too many calls of this caller; ask again")
        except (pa.ArrowException, OSError):
            # The answer was cut: the engine ended, or somebody cancelled it.
            _fail(context, grpc.StatusCode.ABORTED, "the answer has ended before its end")

    def _caller(self, context: grpc.ServicerContext) -> Caller:
        headers = {
            str(name): value
            for name, value in context.invocation_metadata()
            if isinstance(value, str)
        }
        if "authorization" in headers:
            given = headers["authorization"].encode("latin-1", "replace")
            headers["authorization"] = bearer_of(given).decode("latin-1")
        client = str(context.peer()).partition(":")[2].rpartition(":")[0]
        return Caller(self._authenticate(headers), headers, client)


def _one(requests: Iterator[bytes]) -> bytes:
    return next(requests, b"")


def _fail(context: grpc.ServicerContext, code: grpc.StatusCode, message: str) -> None:
    context.set_code(code)
    context.set_details(message)


def _server(settings: FlightSettings) -> grpc.Server:
    return grpc.server(
        ThreadPoolExecutor(THREADS, thread_name_prefix="flight"),
        maximum_concurrent_rpcs=MAX_CALLS,
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
            ("grpc.max_concurrent_streams", MAX_STREAMS),
            ("grpc.max_allowed_incoming_connections", settings.max_connections),
            ("grpc.server_handshake_timeout_ms", int(settings.handshake_timeout_s * 1000)),
            ("grpc.so_reuseport", 0),
        ],
    )


def _bound(server: grpc.Server, settings: FlightSettings) -> int:
    address = settings.address
    try:
        if settings.certificate is not None and settings.private_key is not None:
            pair = (settings.private_key.read_bytes(), settings.certificate.read_bytes())
            port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        else:
            port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from None
    if port == 0:
        raise OSError(
            f"cannot listen on {address}: the port is taken; choose another --flight-port"
        )
    return int(port)
