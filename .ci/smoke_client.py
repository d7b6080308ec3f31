"""Uses an installed tracestore-client, with nothing beside it, on a server: `smoke_client.py SERVER`.

SERVER is the program `tracestore` of an environment that has all of it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import tracestore
from tracestore.errors import ServerUnreachableError

START_S = 60.0
"""Seconds that the server may take to start on a machine that does other work."""

ABSENT = ("duckdb", "fastapi", "sqlalchemy", "tracestore._native", "tracestore.store")


@contextlib.contextmanager
def served(program: str) -> Iterator[str]:
    """Gives the address of a server on a folder of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        ports = ["--port", str(port), "--grpc-port", "-1"]
        server = subprocess.Popen([program, "serve", "--data", folder, *ports])  # noqa: S603 - our own
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(START_S)


def wait(client: tracestore.Client) -> None:
    """Waits until a server answers."""
    until = time.monotonic() + START_S
    while True:
        try:
            client.server_time()
        except ServerUnreachableError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def double(number: int) -> int:
    """Returns twice a number: the task of an eval."""
    return 2 * number


def main() -> None:
    """Sends, asks, runs an eval and a command, and prints what was tried."""
    present = [name for name in ABSENT if importlib.util.find_spec(name) is not None]
    if present:
        raise SystemExit(f"cannot try the client alone: {', '.join(present)} are installed")
    with served(sys.argv[1]) as url, tracestore.Client(url) as client:
        wait(client)
        client.insert("spans", [{"name": "smoke", "attributes": {"answer": 42}}])
        got = client.sql("SELECT attributes.answer AS answer FROM spans").rows()
        if got != [{"answer": 42}]:
            raise SystemExit(f"cannot use the client: got {got}; want 42")
        run = tracestore.Eval(
            "smoke", data=[{"input": 2, "expected": 4}], task=double, url=url, summary=False
        )
        if run.failed:
            raise SystemExit(f"cannot run an eval: {run.failed}")
        command = str(Path(sys.executable).parent / "tracestore")
        done = subprocess.run(  # noqa: S603 - our own
            [command, "query", "SELECT count(*) AS spans FROM spans", "--format", "csv"],
            env={**os.environ, "TRACESTORE_URL": url},
            check=True,
            capture_output=True,
            text=True,
        )
        if not done.stdout.startswith("spans\n"):
            raise SystemExit(f"cannot use the command line: it printed {done.stdout!r}")
    print(f"tracestore-client {tracestore.__version__} works on Python {sys.version.split()[0]}")  # noqa: T201 - a program


main()
