"""One process: OTLP in over HTTP and gRPC, SQL out, over one store. Composition: knows the services."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self

import grpc
import structlog
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tracestore.embedded import Store
from tracestore.gate import Gate
from tracestore.store import KeyRing
from tracestore_ingest.admission import Admission
from tracestore_ingest.otlp_grpc import grpc_server
from tracestore_ingest.otlp_http import otlp_router
from tracestore_query.api import api_router
from tracestore_query.api_datasets import datasets_router
from tracestore_query.api_experiments import experiments_router
from tracestore_query.api_export import export_router

log = structlog.get_logger("tracestore.server")

MAX_QUERY_BYTES = 4 * 1024 * 1024
"""A million characters of SQL and its parameters; longer bodies are refused before they are read."""

GRACE_S = 10.0
"""Seconds that requests under way have when the server is asked to stop."""


class ServerSettings(BaseSettings):
    """Holds what `tracestore serve` may be told; environment variables are `TRACESTORE_…`."""

    model_config = SettingsConfigDict(
        env_prefix="TRACESTORE_", toml_file="tracestore.toml", extra="ignore"
    )

    data: Path = Field(default=Path("tracestore-data"), description="The store's folder.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=4318, ge=0, le=65535, description="OTLP over HTTP and the API; 0 picks one."
    )
    grpc_port: int = Field(
        default=4317, ge=-1, le=65535, description="OTLP over gRPC; 0 picks one, -1 is off."
    )
    durability: str = Field(default="sync", pattern="^(sync|async)$")
    require_keys: bool | None = Field(
        default=None, description="Whether requests need an API key; default beyond loopback only."
    )
    allow_unauthenticated: bool = Field(
        default=False,
        description="Listen on other addresses than loopback though nobody is asked for a key.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Returns where settings come from: arguments, then the environment, then `tracestore.toml`."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


class OpenAddressError(ValueError):
    """Says that a server which asks for keys has none to compare with."""


class Server:
    """Is a running server; a context manager that starts and stops it.

    Attributes:
        http_port, grpc_port: the ports it listens on; grpc_port is None where gRPC is off.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.store = Store.open(settings.data, durability=settings.durability)  # type: ignore[arg-type]
        self.admission = Admission()
        self.keys = KeyRing(settings.data)
        self.gate = Gate(self.keys if _keys_required(settings) else None)
        self.grpc_port: int | None = None
        self._grpc: grpc.Server | None = None
        self._thread: threading.Thread | None = None
        try:
            self._check_keys()
            self._socket = _listen(settings.host, settings.port)
            self.http_port: int = self._socket.getsockname()[1]
            if settings.grpc_port >= 0:
                address = f"{settings.host}:{settings.grpc_port}"
                self._grpc, self.grpc_port = grpc_server(
                    self.store, self.admission, address, self.gate.admit_grpc
                )
        except BaseException:
            self.keys.close()
            self.store.close()
            raise
        config = uvicorn.Config(
            make_app(self.store, self.admission, self.gate),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=int(GRACE_S),
            lifespan="off",
        )
        self._uvicorn = uvicorn.Server(config)

    def _check_keys(self) -> None:
        if self.gate.closed and self.keys.empty:
            data = self.settings.data
            raise OpenAddressError(
                f"cannot serve {data} on {self.settings.host}: requests need an API key and there is none; "
                f"make one: tracestore keys create NAME --data {data}"
            )

    @property
    def url(self) -> str:
        """Returns the base URL of OTLP over HTTP and of the API."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"http://{host}:{self.http_port}"

    def start(self) -> None:
        """Starts serving in threads of its own; returns when connections are taken."""
        if self._grpc is not None:
            self._grpc.start()
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()
        log.info("serving", url=self.url, grpc_port=self.grpc_port, data=str(self.settings.data))

    def _serve(self) -> None:
        self._uvicorn.run(sockets=[self._socket])

    def stop(self) -> None:
        """Stops taking requests, lets those under way finish, flushes and closes the store."""
        if self._grpc is not None:
            self._grpc.stop(GRACE_S).wait()
        self._uvicorn.should_exit = True
        if self._thread is not None:
            self._thread.join(GRACE_S + 5)
        self.keys.close()
        self.store.close()
        log.info("stopped")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def run(settings: ServerSettings, ready: Any = None) -> None:
    """Serves until SIGTERM or SIGINT; `ready` is called with the server once it takes requests."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with Server(settings) as server:
        if ready is not None:
            ready(server)
        stopping.wait()


def make_app(store: Store, admission: Admission, gate: Gate) -> FastAPI:
    """Returns the HTTP application over an open store."""
    app = FastAPI(
        title="tracestore",
        description="OTLP in, SQL out. OTLP itself is served at /v1/traces and /v1/logs.",
        lifespan=_no_lifespan,
    )
    registry, requests = _metrics(store, admission)

    @app.middleware("http")
    async def count(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        requests.labels(_route(request), str(response.status_code)).inc()
        return response

    @app.middleware("http")
    async def authenticate(request: Request, call_next: Any) -> Response:
        refusal = gate.admit_http(request)
        if refusal is not None:
            return refusal
        response: Response = await call_next(request)
        return response

    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """Tells that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"])
    def readyz() -> dict[str, Any]:
        """Tells that the store is open, and how much it holds."""
        stats = store.stats()
        return {"status": "ready", "segments": stats.segments, "memory_rows": stats.memory_rows}

    @app.get("/metrics", tags=["operations"], response_class=Response)
    def metrics() -> Response:
        """Gives counters and gauges in Prometheus' text format."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    @app.middleware("http")
    async def bound_query(request: Request, call_next: Any) -> Response:
        length = request.headers.get("content-length", "")
        bounded = length.isdigit() and int(length) <= MAX_QUERY_BYTES
        if request.url.path == "/api/query" and request.method == "POST" and not bounded:
            status = 413 if length else 411
            detail = f"a query's body must say its length and have at most {MAX_QUERY_BYTES} bytes"
            return JSONResponse({"title": "Bad length", "status": status, "detail": detail}, status)
        response: Response = await call_next(request)
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        problems = [
            {"loc": list(each["loc"]), "msg": each["msg"], "type": each["type"]}
            for each in error.errors()
        ]
        return JSONResponse({"detail": problems}, 422)

    app.include_router(otlp_router(store, admission))
    app.include_router(api_router(store, store.query))
    app.include_router(export_router(store.query))
    app.include_router(datasets_router(store.datasets))
    app.include_router(experiments_router(store.experiments))
    return app


@contextlib.asynccontextmanager
async def _no_lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


def _metrics(store: Store, admission: Admission) -> tuple[CollectorRegistry, Counter]:
    registry = CollectorRegistry()
    requests = Counter(
        "tracestore_http_requests_total",
        "Requests answered.",
        ["route", "status"],
        registry=registry,
    )
    gauges = {
        "tracestore_segments": ("Live segments.", lambda: store.stats().segments),
        "tracestore_segment_bytes": (
            "Bytes of live segments.",
            lambda: store.stats().segment_bytes,
        ),
        "tracestore_memory_rows": ("Rows in no segment yet.", lambda: store.stats().memory_rows),
        "tracestore_wal_bytes": ("Bytes of the write-ahead log.", lambda: store.stats().wal_bytes),
        "tracestore_ingest_bytes_in_flight": (
            "Bytes of requests under way.",
            lambda: admission.bytes_in_flight,
        ),
    }
    for name, (text, read) in gauges.items():
        Gauge(name, text, registry=registry).set_function(read)
    return registry, requests


def _route(request: Request) -> str:
    """Returns the route's pattern: labels must not hold what clients make up."""
    route = request.scope.get("route")
    return getattr(route, "path", "other")


def _keys_required(settings: ServerSettings) -> bool:
    """Tells whether requests need a key: as told, else wherever others than this machine can reach us."""
    if settings.require_keys is not None:
        return settings.require_keys
    local = all(ipaddress.ip_address(address).is_loopback for address in _addresses(settings.host))
    return not local and not settings.allow_unauthenticated


def _addresses(host: str) -> Iterator[str]:
    for info in socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM):  # noqa: S104 - what "" means
        yield str(info[4][0])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since asyncio turns Nagle's delay off only where it sees TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise OSError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from None
    listening.listen(1024)
    return listening
