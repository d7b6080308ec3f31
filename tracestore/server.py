"""One process: OTLP in over HTTP and gRPC, SQL out, over one store. Composition: knows the services."""

from __future__ import annotations

import ipaddress
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

import pyarrow as pa
import structlog
import uvicorn
from pydantic import BeforeValidator, Field
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tracestore.alerts.asking import ask_engine
from tracestore.alerts.watching import AlertWatch
from tracestore.embedded import Store
from tracestore.engine_process.bounds import data_bound
from tracestore.engine_process.door import EngineDoor
from tracestore.engine_process.engine import EngineSettings
from tracestore.engine_process.fork_client import fork_server
from tracestore.engine_process.supervisor import Supervisor
from tracestore.engine_process.turns import Turns
from tracestore.errors import TraceStoreError
from tracestore.serving.application import make_app
from tracestore.serving.browsers import BrowserRules
from tracestore.serving.connections import (
    KEEP_ALIVE_S,
    MAX_HEADER_BYTES,
    file_bound,
    protocol_class,
    raise_file_limit,
)
from tracestore.serving.gate import Gate
from tracestore.serving.http_server import HttpServer
from tracestore.serving.logs import LogFormat, LogLevel, configure_logs
from tracestore.serving.meters import Meters
from tracestore.serving.self_tracing import SelfTracing
from tracestore.store import KeyRing
from tracestore_ingest.admission import Admission
from tracestore_ingest.otlp_grpc import GrpcBounds, GrpcServer

log = structlog.get_logger("tracestore.server")

ENGINE_PROCESS_RUNS = sys.platform == "linux"
"""Rows cross in memory files, and the process is bound and ended by calls that no other kernel has."""

GRACE_S = 10.0
"""Seconds that requests under way have when the server is asked to stop."""


def _split(given: object) -> object:
    """Returns a list of names from the text that an environment variable holds."""
    return [each.strip() for each in given.split(",")] if isinstance(given, str) else given


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Names, in an environment variable parted by commas."""


class ServerSettings(BaseSettings):
    """What `tracestore serve` may be told; environment variables are `TRACESTORE_…`."""

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
    body_timeout_s: float = Field(
        default=60.0, gt=0, description="Seconds in which a request's body must come."
    )
    log_level: LogLevel = Field(
        default="info", description="What is logged; at debug, a line for every request."
    )
    log_format: LogFormat = Field(default="text", description="For people, or JSON for programs.")
    self_trace: bool = Field(
        default=False, description="Whether the server stores spans of its own requests."
    )
    allowed_hosts: Names = Field(
        default=(), description="Further names of the server, where nobody is asked for a key."
    )
    cors_origins: Names = Field(
        default=(),
        description="Origins whose pages may send and ask, e.g. https://app.example.com.",
    )
    max_connections: int = Field(
        default=1024, ge=1, description="HTTP connections at once; idle ones go first."
    )
    header_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds in which a request's headers must come."
    )
    query_spill_bytes: int | None = Field(
        default=None,
        ge=0,
        description="What queries may spill to disk; default 16 GiB, and a fourth of what is free.",
    )
    engine_process: bool = Field(
        default=True,
        description="Whether statements run in a process of their own; on Linux only.",
    )
    query_memory_mb: int = Field(
        default=2048, ge=256, description="Memory of all statements together, in MB."
    )
    max_running_queries: int = Field(
        default=8,
        ge=1,
        description="Statements that run at once; one key has three quarters of them.",
    )
    max_waiting_queries: int = Field(
        default=64,
        ge=1,
        description="Statements that wait for their turn; one key has half of the places.",
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


class OpenAddressError(TraceStoreError, ValueError):
    """A server that asks for keys and has none to compare with."""


class Server:
    """A running server; a context manager that starts and stops it.

    Attributes:
        http_port, grpc_port: the ports it listens on; grpc_port is None where gRPC is off.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.store = Store.open(settings.data, durability=settings.durability)  # type: ignore[arg-type]
        self.store.query_spill_bytes = settings.query_spill_bytes
        self.admission = Admission()
        self.meters = Meters(self.store, self.admission)
        self.keys = KeyRing(settings.data)
        self.gate = Gate(self.keys if _keys_required(settings) else None)
        self.store.query_memory = f"{settings.query_memory_mb}MB"
        self.engine: Supervisor | None = None
        self._spill = tempfile.TemporaryDirectory(prefix="tracestore-spill-")
        self.grpc_port: int | None = None
        self._grpc: GrpcServer | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._traces = SelfTracing(self.store) if settings.self_trace else None
        try:
            self._check_keys()
            self._socket = _listen(settings.host, settings.port)
            self.http_port: int = self._socket.getsockname()[1]
            self.store.announce(self.url)
            if settings.grpc_port >= 0:
                address = f"{settings.host}:{settings.grpc_port}"
                bounds = GrpcBounds(
                    settings.body_timeout_s,
                    settings.header_timeout_s,
                    file_bound(settings.max_connections) // 2,
                )
                self._grpc = GrpcServer(
                    self.store,
                    self.admission,
                    address,
                    self.gate.admit_grpc,
                    bounds,
                    self.meters.ingest,
                )
                self.grpc_port = self._grpc.port
        except BaseException:
            self._spill.cleanup()
            self.keys.close()
            self.store.close()
            raise
        if settings.engine_process and ENGINE_PROCESS_RUNS:
            self.engine = engine_supervisor(settings, self.store, self._spill.name)
        door = self._door()
        if door is not None:
            self.meters.add_gauges(door.gauges())
        self.alerts = AlertWatch(self.store.documents, self._asked, self.url)
        config = uvicorn.Config(
            make_app(
                self.store,
                self.admission,
                self.gate,
                BrowserRules(
                    open_to_all=not self.gate.closed,
                    loopback=_is_local(settings.host),
                    allowed_hosts=settings.allowed_hosts,
                    cors_origins=settings.cors_origins,
                ),
                self.keys,
                self.alerts,
                self.meters,
                body_timeout_s=settings.body_timeout_s,
                cors_origins=settings.cors_origins,
                engine=door,
                log_all=settings.log_level == "debug",
                tracer=self._traces.tracer if self._traces is not None else None,
                stopping=self._stopping,
            ),
            http=protocol_class(file_bound(settings.max_connections), settings.header_timeout_s),
            ws="none",
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            timeout_keep_alive=KEEP_ALIVE_S,
            server_header=False,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=int(GRACE_S),
            lifespan="off",
        )
        self._uvicorn = HttpServer(config, door)

    def _asked(self, sql: str, project: str, timeout_s: float) -> Any:
        """Returns the first value of a statement's first row, for an alert; None where it has none."""
        door = self._uvicorn.door
        if door is not None:
            return ask_engine(door, self._uvicorn.loop, sql, project, timeout_s)
        projects = frozenset({project})
        rows = self.store.sql(sql, projects=projects, timeout_s=timeout_s, max_rows=1).rows()
        return next(iter(rows[0].values()), None) if rows else None

    def _door(self) -> EngineDoor | None:
        settings = self.settings
        if self.engine is None:
            return None
        turns = Turns(settings.max_running_queries, settings.max_waiting_queries)
        return EngineDoor(
            self.engine, turns, {"/api/export": Turns(4, 16), "/api/explore/tail": Turns(48, 1)}
        )

    def _check_keys(self) -> None:
        if not self.gate.closed and "*" in self.settings.cors_origins:
            raise OpenAddressError(
                "cannot serve pages of every origin: nobody is asked for a key; list the origins in cors_origins"
            )
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
        if self.engine is not None:
            self.engine.start()
        if self._grpc is not None:
            self._grpc.start()
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()
        self.alerts.start()
        log.info("serving", url=self.url, grpc_port=self.grpc_port, data=str(self.settings.data))

    def _serve(self) -> None:
        self._uvicorn.run(sockets=[self._socket])

    def stop(self) -> None:
        """Stops taking requests, lets those under way finish, flushes and closes the store."""
        self._stopping.set()
        self.alerts.stop()
        if self.engine is not None:
            self.engine.end_streams()
        if self._grpc is not None:
            self._grpc.stop(GRACE_S)
        self._uvicorn.should_exit = True
        if self._thread is not None:
            self._thread.join(GRACE_S + 5)
        if self._traces is not None:
            self._traces.close()
        if self.engine is not None:
            self.engine.close()
        self._spill.cleanup()
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
    configure_logs(settings.log_level, settings.log_format)
    raise_file_limit()
    # Arrow's own allocators keep what each thread once needed; of this one, what is unused goes back after
    # every flush and merge: 880 to 950 MB after a minute of 100,000 spans a second, else 1,124 (bench/service).
    pa.set_memory_pool(pa.system_memory_pool())
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with Server(settings) as server:
        if ready is not None:
            ready(server)
        stopping.wait()


def engine_supervisor(settings: ServerSettings, store: Store, spill_folder: str) -> Supervisor:
    """Returns the keeper of the engine process, which is not started yet."""
    megabyte = 1024 * 1024
    engine = EngineSettings(
        folder=str(settings.data),
        catalog_url=store.settings.catalog_url,
        segments_url=store.settings.segments_url,
        query_memory=store.query_memory,
        data_bytes=data_bound(settings.query_memory_mb * megabyte),
        spill_folder=spill_folder,
        spill_bytes=settings.query_spill_bytes,
    )
    return Supervisor(engine, fork_server("tracestore.serving.engine_app"), store.changes)


def _keys_required(settings: ServerSettings) -> bool:
    """Tells whether requests need a key: as told, else wherever others than this machine can reach us."""
    if settings.require_keys is not None:
        return settings.require_keys
    return not _is_local(settings.host) and not settings.allow_unauthenticated


def _is_local(host: str) -> bool:
    return all(ipaddress.ip_address(address).is_loopback for address in _addresses(host))


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
