"""The command line. Every command takes `--data DIR` (a store's folder) or `--url URL` (a server)."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tracestore.cli.evals import dataset_app, eval_files
from tracestore.cli.export import export_rows
from tracestore.cli.feedback import score
from tracestore.cli.folders import backup, check, recover
from tracestore.cli.terminal import (
    DEFAULT_DATA,
    DataOption,
    FormatOption,
    UrlOption,
    err,
    opened,
    out,
    show,
)
from tracestore.client import ClientError
from tracestore.demo import run_demo
from tracestore.embedded import open as open_store
from tracestore.errors import PayloadError, TraceStoreError, UnsupportedPayloadError
from tracestore.evals.cases import EvalError
from tracestore.exports import ExportError
from tracestore.importing import (
    STDIN,
    Imported,
    ImportFileError,
    Payload,
    files_of,
    requests_of,
    requests_of_stream,
)
from tracestore.segment.inspect import describe
from tracestore.server import OpenAddressError, Server, ServerSettings, run
from tracestore.serving.logs import configure_logs
from tracestore.store import KeyRing
from tracestore.store.files.filenames import CATALOG

app = typer.Typer(
    name="tracestore",
    help="A columnar store for semi-structured traces: OTLP in, SQL out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="Manages API keys.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
app.add_typer(dataset_app, name="dataset")
app.command(name="eval")(eval_files)
app.command(name="score")(score)
app.command()(check)
app.command()(backup)
app.command()(recover)
app.command(name="export")(export_rows)


def main() -> None:
    """Runs the command line; an error we know ends with its message and status 1."""
    configure_logs()
    try:
        app()
    except (
        TraceStoreError,
        ClientError,
        EvalError,
        ExportError,
        ImportFileError,
        OpenAddressError,
        OSError,
    ) as error:
        err.print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command()
def serve(
    context: typer.Context,
    data: DataOption = DEFAULT_DATA,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="OTLP over HTTP and the API.")] = 4318,
    grpc_port: Annotated[int, typer.Option(help="OTLP over gRPC; -1 turns it off.")] = 4317,
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
        allow_unauthenticated=allow_unauthenticated,
        require_keys=require_keys,
        self_trace=self_trace,
        log_level=log_level,
        log_format=log_format,
    )

    def ready(server: Server) -> None:
        err.print(f"tracestore serves [bold]{data}[/bold]")
        err.print(f"  OTLP over HTTP  {server.url}/v1/traces, /v1/logs")
        if server.grpc_port is not None:
            err.print(f"  OTLP over gRPC  {host}:{server.grpc_port}")
        err.print(f"  SQL             {server.url}/api/query   (docs at {server.url}/docs)")

    run(settings, ready)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT statement; '-' reads it from stdin.")],
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Answers one SQL statement."""
    text = sys.stdin.read() if sql == "-" else sql
    with opened(data, url) as source:
        answer = source.sql(text)
        rows = answer.rows()
    show(rows, format)
    for warning in answer.warnings:
        err.print(f"[yellow]note:[/yellow] {warning}", highlight=False)


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


@app.command(name="import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="OTLP requests or rows: .json .jsonl .ndjson .pb .pbs, also .zst and .gz; folders; "
            "'-' reads standard input."
        ),
    ],
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    table: Annotated[str, typer.Option(help="The table of plain rows: spans or logs.")] = "spans",
    project: Annotated[str | None, typer.Option(help="The project of rows that name none.")] = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Imports files: OTLP requests as JSON or protobuf, or rows whose keys are columns.

    A bad row or span is refused alone, and one that the store has already is not stored again. Status 1 where a
    file cannot be read: the others are imported all the same.
    """
    paths = files_of(files)
    sizes = {path: path.stat().st_size if path != STDIN else 0 for path in paths}
    total = Imported(files=len(paths))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with opened(data, url) as source, Progress(*columns, console=err) as progress:
        task = progress.add_task("importing", total=sum(sizes.values()) or None)
        for path in paths:
            progress.update(task, description="stdin" if path == STDIN else path.name)
            try:
                requests = (
                    requests_of_stream(sys.stdin.buffer) if path == STDIN else requests_of(path)
                )
                for payload in requests:
                    total.add(_imported(source, payload, table, project))
            except (PayloadError, UnsupportedPayloadError, ClientError, ImportFileError) as error:
                total.failed += 1
                err.print(f"[red]error:[/red] {path}: {error}", highlight=False, soft_wrap=True)
            progress.advance(task, sizes[path])
    if format == "table":
        err.print(str(total))
    else:
        show([asdict(total)], format)
    if total.failed:
        raise typer.Exit(1)


def _imported(source: Any, payload: Payload, table: str, project: str | None) -> Any:
    if payload.content_type is None:
        return source.insert(table, payload.body, project=project)
    return source.ingest_otlp(payload.body, payload.signal, payload.content_type, project=project)


@app.command()
def schema(
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    table: Annotated[str, typer.Option(help="spans or logs.")] = "spans",
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Lists the paths of a table with their types and rows."""
    with opened(data, url) as source:
        rows = source.sql(
            'SELECT path, type, rows FROM paths WHERE "table" = $t ORDER BY path, type',
            {"t": table},
        ).rows()
    show(rows, format)


@app.command()
def compact(
    data: DataOption = DEFAULT_DATA,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Merges small segments of a folder that no server has open, and applies deletes."""
    with open_store(data) as store, err.status("merging"):
        store.flush()
        report = store.compact(full=True)
    show([asdict(report)], format)


@app.command()
def inspect(file: Annotated[Path, typer.Argument(help="A segment, tail or WAL file.")]) -> None:
    """Prints a file of a store field by field."""
    for line in describe(file).lines():
        out.print(line, highlight=False, soft_wrap=True, markup=False)


@keys_app.command(name="create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    data: DataOption = DEFAULT_DATA,
    scope: Annotated[
        list[str] | None, typer.Option(help="ingest, read or admin; repeat for several.")
    ] = None,
    project: Annotated[
        list[str] | None, typer.Option(help="Bind it to a project; repeat for several.")
    ] = None,
) -> None:
    """Makes a key and prints it once; default scopes are ingest and read."""
    with contextlib.closing(KeyRing(_existing(data))) as ring:
        try:
            key, text = ring.create(name, scope or ["ingest", "read"], project or None)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    err.print(f"key {key.key_id} for {name}: {', '.join(sorted(key.scopes))}; it is shown only now")
    sys.stdout.write(text + "\n")


@keys_app.command(name="list")
def keys_list(data: DataOption = DEFAULT_DATA, format: FormatOption = "table") -> None:  # noqa: A002 - the option's name
    """Lists keys, without their secrets."""
    with contextlib.closing(KeyRing(_existing(data))) as ring:
        keys = ring.list()
    show(
        [
            {
                "id": key.key_id,
                "name": key.name,
                "scopes": ", ".join(sorted(key.scopes)),
                "projects": "all" if key.projects is None else ", ".join(sorted(key.projects)),
                "live": key.revoked_ns is None,
            }
            for key in keys
        ],
        format,
    )


@keys_app.command(name="revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, from `tracestore keys list`.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Revokes a key; a running server refuses it within two seconds."""
    with contextlib.closing(KeyRing(_existing(data))) as ring:
        ring.revoke(key_id)
    err.print(f"key {key_id} is revoked")


def _existing(data: Path) -> Path:
    """Returns a store's folder, and makes an empty store where there is none."""
    if not (data / CATALOG).exists():
        open_store(data).close()
    return data


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="An empty folder; default a new temporary one.")
    ] = None,
    traces: Annotated[int, typer.Option(min=4, max=10_000, help="Agent runs to report.")] = 60,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the server up, and say which pages to open.")
    ] = False,
) -> None:
    """Shows the store at work: a server, an agent that reports to it, and questions. Ends by itself."""
    configure_logs("warning")
    run_demo(data or Path(tempfile.mkdtemp(prefix="tracestore-demo-")), traces, out, keep=keep)
