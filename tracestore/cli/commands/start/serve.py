"""`tracestore serve`: one folder behind HTTP and gRPC."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from pydantic import ValidationError

from tracestore.cli.options import DataOption
from tracestore.cli.printing import tell
from tracestore.server import Server, ServerSettings, run


def serve(
    context: typer.Context,
    data: DataOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="OTLP over HTTP and the API.")] = 4318,
    grpc_port: Annotated[int, typer.Option(help="OTLP over gRPC; -1 turns it off.")] = 4317,
    flight_port: Annotated[
        int, typer.Option(help="Arrow Flight SQL; 0 picks one, -1 turns it off.")
    ] = -1,
    catalog: Annotated[
        str | None, typer.Option(help="The catalog's database, for several nodes.")
    ] = None,
    segments: Annotated[
        str | None, typer.Option(help="The bucket of the segments, for several nodes.")
    ] = None,
    role: Annotated[str, typer.Option(help="query for a node that takes no rows.")] = "all",
    node_url: Annotated[str | None, typer.Option(help="Where other nodes reach this one.")] = None,
    allow_unauthenticated: Annotated[
        bool,
        typer.Option("--allow-unauthenticated", help="Listen beyond this machine without keys."),
    ] = False,
    require_keys: Annotated[
        bool | None, typer.Option(help="Ask for API keys; default beyond this machine only.")
    ] = None,
    self_trace: Annotated[
        bool, typer.Option("--self-trace", help="Store spans of the server's own requests.")
    ] = False,
    iceberg_every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Publish to Iceberg so often, e.g. 5m or 1h."),
    ] = None,
    log_level: Annotated[
        str, typer.Option(help="debug (a line for every request), info, warning or error.")
    ] = "info",
    log_format: Annotated[str, typer.Option(help="text, or json for programs.")] = "text",
) -> None:
    """Serves a folder: OTLP over HTTP and gRPC, and the query API. Ends on Ctrl-C or SIGTERM.

    Every option can be an environment variable (TRACESTORE_PORT=4318) or stand in tracestore.toml.
    """
    settings = _settings(
        context,
        data=data,
        host=host,
        port=port,
        grpc_port=grpc_port,
        flight_port=flight_port,
        catalog=catalog,
        segments=segments,
        role=role,
        node_url=node_url,
        allow_unauthenticated=allow_unauthenticated,
        require_keys=require_keys,
        self_trace=self_trace,
        iceberg_every=iceberg_every,
        log_level=log_level,
        log_format=log_format,
    )

    def ready(server: Server) -> None:
        tell(f"tracestore serves {settings.data}")
        if server.store.nodes.node_id is not None:
            role = "answers only" if settings.role == "query" else "takes rows and answers"
            tell(f"  node            {server.store.nodes.node_id}, {role}")
        tell(f"  pages           {server.url}/")
        tell(f"  OTLP over HTTP  {server.url}/v1/traces, /v1/logs")
        if server.grpc_port is not None:
            tell(f"  OTLP over gRPC  {settings.host}:{server.grpc_port}")
        if server.flight_port is not None:
            tls = "+tls" if settings.flight_tls_key is not None else ""
            tell(f"  Flight SQL      grpc{tls}://{settings.host}:{server.flight_port}")
        tell(f"  SQL             {server.url}/api/query   (docs at {server.url}/docs)")

    run(settings, ready)


def _settings(context: typer.Context, **given: Any) -> ServerSettings:
    """Returns the settings of a server: options that were given, then the environment and `tracestore.toml`."""
    sources = {name: context.get_parameter_source(name) for name in given}
    chosen = {
        name: value
        for name, value in given.items()
        if (source := sources[name]) is not None and source.name != "DEFAULT"
    }
    try:
        return ServerSettings(**chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise typer.BadParameter(first["msg"], param_hint=f"--{name.replace('_', '-')}") from None
