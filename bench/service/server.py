"""A server of ours in a process of its own, for a measurement."""

from __future__ import annotations

import collections
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path


@contextlib.contextmanager
def served(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """Gives the URL and the process id of a server over a folder; it is ended and waited for.

    Args:
        folder: the store's.
        environment: its further variables: settings of the server.
    """
    command = [sys.executable, "-c", "from tracestore.cli import main; main()", "serve"]
    server = subprocess.Popen(
        [*command, "--data", str(folder), "--port", "0", "--grpc-port", "-1"],
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        text=True,
    )
    drain = threading.Thread()
    try:
        url = ""
        for line in server.stderr or ():
            if "api/query" in line:
                url = line.split()[1].removesuffix("/api/query")
                break
        # What else it says is read away: a full pipe would stop it.
        drain = threading.Thread(target=collections.deque, args=(server.stderr, 0), daemon=True)
        drain.start()
        yield url, server.pid
    finally:
        server.terminate()
        server.wait(timeout=120)
        if drain.ident is not None:
            drain.join()
        if server.stderr is not None:
            server.stderr.close()
