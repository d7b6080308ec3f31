"""One process: OTLP in over HTTP and gRPC, SQL out, over one store. Composition: knows the services."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
from typing import Any, Self

import pyarrow as pa
import structlog
import uvicorn

from tracestore.alerts.asking import ask_engine
from tracestore.alerts.watching import AlertWatch
from tracestore.doors.flight.server import FlightServer, FlightSettings
from tracestore.embedded import Store
from tracestore.engine_process.bounds import data_bound
from tracestore.engine_process.door import EngineDoor
from tracestore.engine_process.engine import EngineSettings
from tracestore.engine_process.fork_client import fork_server
from tracestore.engine_process.supervisor import Supervisor
from tracestore.engine_process.turns import Turns
from tracestore.errors import TraceStoreError
from tracestore.gateway.gateway import Gateway, GatewaySettings
from tracestore.iceberg.api import iceberg_router
from tracestore.iceberg.publisher import Publisher
from tracestore.nodes.client import HttpPeers
from tracestore.nodes.gauges import node_gauges
from tracestore.nodes.routes import nodes_router
from tracestore.outbound.fence import Fence
from tracestore.play.service import PlayService, PlaySettings
from tracestore.server_settings import ServerSettings
from tracestore.serving.application import make_app
from tracestore.serving.gate import Gate
from tracestore.serving.http.browsers import BrowserRules
from tracestore.serving.http.connections import (
    KEEP_ALIVE_S,
    file_bound,
    is_local,
    listening,
    protocol_class,
    raise_file_limit,
)
from tracestore.serving.http.request_frame import App
from tracestore.serving.http.server import HttpServer
from tracestore.serving.logs import configure_logs
from tracestore.serving.meters import Meters
from tracestore.serving.self_tracing import SelfTracing
from tracestore.store import KeyRing, ScratchFolder
from tracestore_ingest.admission import Admission
from tracestore_ingest.otlp_grpc import GrpcBounds, GrpcServer

__all__ = ["OpenAddressError", "Server", "ServerSettings", "engine_supervisor", "run"]

log = structlog.get_logger("tracestore.server")

ENGINE_PROCESS_RUNS = sys.platform == "linux"
"""Rows cross in memory files, and the process is bound and ended by calls that no other kernel has."""

MEGABYTE = 1024 * 1024

GRACE_S = 10.0
"""Seconds that requests under way have when the server is asked to stop."""


class OpenAddressError(TraceStoreError, ValueError):
    """A server that asks for keys and has none to compare with."""


class Server:
    """A running server; a context manager that starts and stops it.

    Attributes:
        http_port, grpc_port, flight_port: the ports it listens on; None of gRPC or Flight SQL where it is off.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.store = Store.open(
            settings.data,
            durability=settings.durability,
            estimate_costs=settings.estimate_costs,
            prices=settings.prices,
            catalog_url=settings.catalog,
            segments_url=settings.segments,
            node=settings.node,
            object_cache_bytes=settings.segments_cache_mb * MEGABYTE,
            compaction_unit_rows=settings.compaction_unit_rows,
            compaction_unit_bytes=settings.compaction_unit_mb * MEGABYTE,
        )
        self.store.query_spill_bytes = settings.query_spill_bytes
        self.admission = Admission()
        self.meters = Meters(self.store, self.admission)
        self.keys = KeyRing(settings.data, settings.catalog)
        self._cluster_key = self.store.nodes.secret(settings.cluster_key) if settings.node else None
        self._peers = HttpPeers(self._cluster_key) if self._cluster_key is not None else None
        if self._peers is not None:
            self.store.nodes.ask_by(self._peers)
            self.meters.add_gauges(node_gauges(self.store, self._peers))
        self.gate = Gate(self.keys if _keys_required(settings) else None)
        self.store.query_memory = f"{settings.query_memory_mb}MB"
        self.engine: Supervisor | None = None
        self._spill = ScratchFolder("tracestore-spill-")
        self.grpc_port: int | None = None
        self.flight_port: int | None = None
        self._flight: FlightServer | None = None
        self._grpc: GrpcServer | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._traces = _self_tracing(settings, self.store)
        with contextlib.ExitStack() as undo:
            for close in (self.store.close, self.keys.close, self._spill.cleanup):
                undo.callback(close)
            self._check_keys()
            self._socket = undo.enter_context(listening(settings.host, settings.port))
            self.http_port: int = self._socket.getsockname()[1]
            self.store.announce(settings.node_url or self.url)
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
            undo.pop_all()
        if settings.engine_process and ENGINE_PROCESS_RUNS:
            self.engine = engine_supervisor(settings, self.store, self._spill.name)
        door = self._door()
        if door is not None:
            self.meters.add_gauges(door.gauges())
        self.alerts = AlertWatch(
            self.store.documents,
            self._asked,
            self.url,
            Fence(private=settings.outbound_private_hosts),
            lambda: self.store.nodes.leads("alerts"),
        )
        self.play = PlayService(
            self.store,
            PlaySettings(
                settings.providers,
                settings.provider_keys,
                settings.outbound_private_hosts,
                settings.tool_hosts,
                settings.play_keep_days,
            ),
            lambda: self._uvicorn.door,
        )
        self.gateway = Gateway(
            self.store,
            self.play.providers,
            GatewaySettings(
                settings.gateway_usd_per_day, settings.gateway_budgets, settings.gateway_cache_s
            ),
        )
        self.publisher = Publisher(self.store, settings.iceberg_every, settings.iceberg_keep)
        config = uvicorn.Config(
            app := self._app(door),
            http=protocol_class(file_bound(settings.max_connections), settings.header_timeout_s),
            ws="none",
            # Not the one that happens to be installed.
            loop="asyncio",
            timeout_keep_alive=KEEP_ALIVE_S,
            server_header=False,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=int(GRACE_S),
            lifespan="off",
        )
        self._uvicorn = HttpServer(config, door, self._close_rooms)
        try:
            self._flight = self._flight_server(app)
        except BaseException:
            self.stop()
            raise

    def _app(self, door: EngineDoor | None) -> App:
        settings = self.settings
        return make_app(
            self.store,
            self.admission,
            self.gate,
            BrowserRules(
                open_to_all=not self.gate.closed,
                loopback=is_local(settings.host),
                allowed_hosts=settings.allowed_hosts,
                cors_origins=settings.cors_origins,
            ),
            self.keys,
            self.alerts,
            self.meters,
            [
                *self.play.routers(),
                self.gateway.router(),
                iceberg_router(self.publisher),
                nodes_router(self.store, self._cluster_key),
            ],
            body_timeout_s=settings.body_timeout_s,
            cors_origins=settings.cors_origins,
            engine=door,
            log_all=settings.log_level == "debug",
            tracer=self._traces.tracer if self._traces is not None else None,
            stopping=self._stopping,
        )

    def _flight_server(self, app: App) -> FlightServer | None:
        settings = self.settings
        if settings.flight_port < 0:
            return None
        server = FlightServer(
            app,
            self._uvicorn.loop,
            self.gate.admit_reader,
            FlightSettings(
                f"{settings.host}:{settings.flight_port}",
                settings.flight_tls_certificate,
                settings.flight_tls_key,
                settings.body_timeout_s,
                settings.header_timeout_s,
                file_bound(settings.max_connections) // 2,
            ),
        )
        self.flight_port = server.port
        return server

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
        if self._flight is not None:
            self._flight.start()
        self.alerts.start()
        self.play.start()
        self.publisher.start()
        log.info("serving", url=self.url, grpc_port=self.grpc_port, data=str(self.settings.data))

    async def _close_rooms(self) -> None:
        # Its calls use the connections of the other.
        await self.gateway.aclose()
        await self.play.aclose()

    def _serve(self) -> None:
        self._uvicorn.run(sockets=[self._socket])

    def stop(self) -> None:
        """Stops taking requests, lets those under way finish, flushes and closes the store."""
        self._stopping.set()
        self.alerts.stop()
        self.publisher.stop()
        self.play.stop(self._uvicorn.running_loop)
        if self.engine is not None:
            self.engine.end_streams()
        if self._grpc is not None:
            self._grpc.stop(GRACE_S)
        if self._flight is not None:
            self._flight.stop(GRACE_S)
        self._uvicorn.should_exit = True
        if self._thread is not None:
            self._thread.join(GRACE_S + 5)
        self._socket.close()
        if self._traces is not None:
            self._traces.close()
        if self.engine is not None:
            self.engine.close()
        self._spill.cleanup()
        self.keys.close()
        self.store.close()
        if self._peers is not None:
            self._peers.close()
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
        # What is loaded by now stays. Walking it again for cycles would stop every thread for some 0.1 s, each time
        # that as many objects as a quarter of it have come: under load about once in half a million spans.
        gc.collect()
        gc.freeze()
        if ready is not None:
            ready(server)
        stopping.wait()


def engine_supervisor(settings: ServerSettings, store: Store, spill_folder: str) -> Supervisor:
    """Returns the keeper of the engine process, which is not started yet."""
    engine = EngineSettings(
        folder=str(settings.data),
        catalog_url=store.settings.catalog_url,
        segments_url=store.settings.segments_url,
        query_memory=store.query_memory,
        data_bytes=data_bound(settings.query_memory_mb * MEGABYTE),
        spill_folder=spill_folder,
        spill_bytes=settings.query_spill_bytes,
        cache_bytes=settings.segments_cache_mb * MEGABYTE,
    )
    return Supervisor(engine, fork_server("tracestore.serving.engine_app"), store.changes)


def _self_tracing(settings: ServerSettings, store: Store) -> SelfTracing | None:
    """Returns what stores spans of the server's own requests; a node that takes no rows stores none."""
    return SelfTracing(store) if settings.self_trace and settings.role == "all" else None


def _keys_required(settings: ServerSettings) -> bool:
    """Tells whether requests need a key: as told, else wherever others than this machine can reach us."""
    if settings.require_keys is not None:
        return settings.require_keys
    return not is_local(settings.host) and not settings.allow_unauthenticated
