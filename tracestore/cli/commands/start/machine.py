"""What a server of this machine would meet: settings, disk, ports, open files; and one that runs for a moment."""

from __future__ import annotations

import resource
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

import tracestore
from tracestore.cli.commands.start.findings import Finding, round_trip
from tracestore.errors import TraceStoreError
from tracestore.server import Server, ServerSettings
from tracestore.serving.logs import configure_logs

LEAST_FREE_BYTES: Final = 2 * 1024**3
"""Free space below which a day of traces may fill the disk: a flush, a merge and the log need some hundred MB."""

LEAST_FILES: Final = 1024
"""Open files below which a server closes connections early: half of them are connections."""


def of_machine(folder: Path) -> Iterator[Finding]:
    """Yields what is found of this machine, for a server on a folder."""
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


def _round_trip_of_its_own() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="tracestore-doctor-") as folder:
        configure_logs("warning")
        settings = ServerSettings(data=Path(folder), host="127.0.0.1", port=0, grpc_port=0)
        try:
            with Server(settings) as server, tracestore.Client(server.url) as client:
                yield round_trip(client)
        except (TraceStoreError, OSError) as error:
            yield Finding("FAIL", "span", f"a server of its own does not start: {error}")
