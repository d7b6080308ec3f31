"""The command line. Every command takes `--data DIR` (a store's folder) or `--url URL` (a server)."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tracestore.cli_evals import dataset_app, eval_files
from tracestore.cli_export import export_rows
from tracestore.client import ClientError
from tracestore.demo import run_demo
from tracestore.embedded import open as open_store
from tracestore.errors import TraceStoreError
from tracestore.eval_cases import EvalError
from tracestore.exporting import ExportError
from tracestore.importing import requests_of
from tracestore.segment.inspect import describe
from tracestore.server import OpenAddressError, Server, ServerSettings, run
from tracestore.store import KeyRing
from tracestore.store.filenames import CATALOG
from tracestore.terminal import (
    DEFAULT_DATA,
    DataOption,
    FormatOption,
    UrlOption,
    err,
    opened,
    out,
    show,
)

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
app.command(name="export")(export_rows)


def main() -> None:
    """Runs the command line; an error we know ends with its message and status 1."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        app()
    except (
        TraceStoreError,
        ClientError,
        EvalError,
        ExportError,
        OpenAddressError,
        OSError,
    ) as error:
        err.print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command()
def serve(
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
) -> None:
    """Serves a folder: OTLP over HTTP and gRPC, and the query API. Ends on Ctrl-C or SIGTERM."""
    settings = ServerSettings(
        data=data,
        host=host,
        port=port,
        grpc_port=grpc_port,
        allow_unauthenticated=allow_unauthenticated,
        require_keys=require_keys,
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


@app.command(name="import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(help="OTLP requests or rows: .json .jsonl .ndjson .pb .pbs, also .zst."),
    ],
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    table: Annotated[str, typer.Option(help="The table of plain rows: spans or logs.")] = "spans",
    project: Annotated[str | None, typer.Option(help="The project of rows that name none.")] = None,
) -> None:
    """Imports files of any age: OTLP/JSON and protobuf requests, or rows whose keys are columns."""
    found = [
        path
        for file in files
        for path in (sorted(p for p in file.rglob("*") if p.is_file()) if file.is_dir() else [file])
    ]
    rows = 0
    rejected = 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with opened(data, url) as source, Progress(*columns, console=err) as progress:
        task = progress.add_task("importing", total=sum(path.stat().st_size for path in found))
        for path in found:
            progress.update(task, description=path.name)
            for kind, signal, body in requests_of(path):
                if kind == "rows":
                    report: Any = source.insert(table, body, project=project)
                else:
                    report = source.ingest_otlp(body, signal, kind, project=project)
                if report is not None:
                    rows += report["rows"] if isinstance(report, dict) else report.rows
                    rejected += (
                        report["rejected_rows"]
                        if isinstance(report, dict)
                        else report.rejected_rows
                    )
            progress.advance(task, path.stat().st_size)
    err.print(
        f"imported {rows} rows from {len(found)} files"
        + (f", {rejected} refused" if rejected else "")
    )


@app.command()
def schema(
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    table: Annotated[str, typer.Option(help="spans or logs.")] = "spans",
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Lists the paths a table has, with types and rows."""
    with opened(data, url) as source:
        rows = source.sql(
            'SELECT path, type, rows FROM paths WHERE "table" = $t ORDER BY path, type',
            {"t": table},
        ).rows()
    show(rows, format)


@app.command()
def compact(data: DataOption = DEFAULT_DATA) -> None:
    """Merges small segments and applies deletes."""
    with open_store(data) as store:
        store.flush()
        err.print(str(store.compact(full=True)))


@app.command()
def check(
    data: DataOption = DEFAULT_DATA,
    deep: Annotated[bool, typer.Option("--deep", help="Read every page.")] = False,
) -> None:
    """Verifies a store's files; status 1 where something is wrong."""
    with open_store(data) as store:
        report = store.check(deep=deep)
    out.print(report)
    if not report.ok:
        raise typer.Exit(1)


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
    """Ends a key; a running server stops honouring it within two seconds."""
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
) -> None:
    """Shows what this is: a server, an agent that reports to it, and questions. Ends by itself."""
    run_demo(data or Path(tempfile.mkdtemp(prefix="tracestore-demo-")), traces, out)
