"""`tracestore doctor`: what most often keeps a first span from arriving, looked at one by one."""

from __future__ import annotations

import datetime
import json
import resource
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import typer
from pydantic import ValidationError

import tracestore
from tracestore.cli.connection import folder_of, reading, server_of
from tracestore.cli.options import DataOption, KeyOption, UrlOption
from tracestore.cli.printing import say
from tracestore.cli.sdk_checks import sdk_findings
from tracestore.content_types import JSON
from tracestore.errors import ClientError, ServerUnreachableError, TraceStoreError
from tracestore.server import Server, ServerSettings
from tracestore.serving.logs import configure_logs

LEAST_FREE_BYTES: Final = 2 * 1024**3
"""Free space below which a day of traces may fill the disk: a flush, a merge and the log need some hundred MB."""

LEAST_FILES: Final = 1024
"""Open files below which a server closes connections early: half of them are connections."""

CLOCK_S: Final = 5.0
"""Seconds between two clocks from which on spans of both look out of order."""

PROJECT: Final = "doctor"


class Finding(NamedTuple):
    """What was looked at, and what was found."""

    mark: Literal["ok", "note", "FAIL"]
    what: str
    text: str


SdkOption = Annotated[
    bool, typer.Option("--sdk", help="Look at what arrived instead: what is missing, and why.")
]
MinutesOption = Annotated[
    int, typer.Option("--minutes", min=1, max=1_000_000, help="With --sdk: how far back.")
]


def doctor(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    sdk: SdkOption = False,
    minutes: MinutesOption = 15,
) -> None:
    """Looks at settings, ports, disk and clock, sends a span to itself and finds it again.

    With --url it sends the span to that server, into the project `doctor`; else to a server of its own on a
    temporary folder. Status 1 where something does not work. With --sdk it looks at the spans of the last
    minutes instead: which model calls lack content, tokens or a model, and which came twice.
    """
    server = server_of(data, url)
    failed = False
    if sdk:
        findings = _of_sdks(data, url, key, minutes)
    else:
        findings = _of_server(server, key) if server is not None else _of_machine(folder_of(data))
    for finding in findings:
        failed |= finding.mark == "FAIL"
        say(f"{finding.mark:<5} {finding.what:<9} {finding.text}")
    if failed:
        raise typer.Exit(1)


def _of_sdks(
    data: Path | None, url: str | None, key: str | None, minutes: int
) -> Iterator[Finding]:
    with reading(data, url, key) as source:
        for mark, what, text in sdk_findings(source, minutes):
            yield Finding(mark, what, text)


def _of_machine(folder: Path) -> Iterator[Finding]:
    try:
        settings = ServerSettings(data=folder)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        yield Finding(
            "FAIL", "settings", f"{name}: {first['msg']}; see TRACESTORE_… and tracestore.toml"
        )
        return
    where = (
        "tracestore.toml and the environment"
        if Path("tracestore.toml").exists()
        else "the environment"
    )
    yield Finding("ok", "settings", f"read from {where}; a server would listen on {settings.host}")
    yield _disk(folder)
    yield from _ports(settings)
    yield _files()
    yield from _round_trip_of_its_own()


def _of_server(url: str, key: str | None) -> Iterator[Finding]:
    with tracestore.Client(url, key) as client:
        try:
            server_time = client.server_time()
        except ServerUnreachableError as error:
            yield Finding("FAIL", "server", str(error))
            return
        except ClientError as error:
            yield Finding("FAIL", "server", f"{url} answers, and is no tracestore: {error}")
            return
        yield Finding("ok", "server", f"{url} answers")
        yield _clock(server_time)
        yield _round_trip(client)


def _disk(folder: Path) -> Finding:
    near = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=near):
            pass
    except OSError as error:
        return Finding(
            "FAIL", "disk", f"cannot write to {near}: {error.strerror}; choose another --data"
        )
    free = shutil.disk_usage(near).free
    text = f"{free / 1024**3:.1f} GiB free for {folder}"
    if free < LEAST_FREE_BYTES:
        return Finding(
            "note", "disk", f"{text}; that is little, see `tracestore projects retention`"
        )
    return Finding("ok", "disk", text)


def _ports(settings: ServerSettings) -> Iterator[Finding]:
    for name, port, option in (
        ("HTTP", settings.port, "--port"),
        ("gRPC", settings.grpc_port, "--grpc-port"),
    ):
        if port < 0:
            continue
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((settings.host, port))
            except OSError as error:
                text = f"{port} for {name}: {error.strerror}; if that is no tracestore, choose another {option}"
                yield Finding("note", "port", text)
                continue
        yield Finding("ok", "port", f"{port} for {name} is free")


def _files() -> Finding:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < LEAST_FILES:
        return Finding(
            "note", "files", f"{most} may be open; give the server {LEAST_FILES} or more"
        )
    return Finding("ok", "files", "enough may be open")


def _clock(there: datetime.datetime) -> Finding:
    apart_s = abs((datetime.datetime.now(datetime.UTC) - there).total_seconds())
    if apart_s > CLOCK_S:
        text = (
            f"{apart_s:.0f} s apart from the server's; set both by NTP, or spans lie at wrong times"
        )
        return Finding("note", "clock", text)
    return Finding("ok", "clock", "as the server's")


def _round_trip_of_its_own() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="tracestore-doctor-") as folder:
        configure_logs("warning")
        settings = ServerSettings(data=Path(folder), host="127.0.0.1", port=0, grpc_port=0)
        try:
            with Server(settings) as server, tracestore.Client(server.url) as client:
                yield _round_trip(client)
        except (TraceStoreError, OSError) as error:
            yield Finding("FAIL", "span", f"a server of its own does not start: {error}")


def _round_trip(client: tracestore.Client) -> Finding:
    trace_id = secrets.token_hex(16)
    now_ns = time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": secrets.token_hex(8),
        "name": "tracestore doctor",
        "startTimeUnixNano": str(now_ns),
        "endTimeUnixNano": str(now_ns + 1_000_000),
    }
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    try:
        client.ingest_otlp(json.dumps(request).encode(), "traces", JSON, project=PROJECT)
        found = client.sql("SELECT name FROM spans WHERE trace_id = $id", {"id": trace_id}).rows()
    except ClientError as error:
        return Finding("FAIL", "span", f"sent by OTLP over HTTP: {error}")
    if not found:
        return Finding("FAIL", "span", "sent and acknowledged, and no query finds it")
    return Finding("ok", "span", f"sent by OTLP over HTTP and found by SQL, in project {PROJECT}")
