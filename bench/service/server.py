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

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(
    folder: Path, environment: Mapping[str, str] | None = None, tree: Path | None = None
) -> Iterator[tuple[str, int]]:
    """Gives the URL and the process id of a server over a folder; it is ended and waited for.

    Args:
        folder: the store's.
        environment: its further variables: settings of the server.
        tree: a checkout of the code that serves, with kernels; this one by default.
    """
    rooms = [] if tree is None else [tree, tree / "ingest", tree / "query"]
    path = {"PYTHONPATH": os.pathsep.join(map(str, rooms))} if rooms else {}
    command = [sys.executable, "-c", "from tracestore.cli import main; main()", "serve"]
    server = subprocess.Popen(
        [*command, "--data", str(folder), "--port", "0", "--grpc-port", "-1"],
        stderr=subprocess.PIPE,
        env={**os.environ, **path, **(environment or {})},
        # A program that is given as text looks for modules where it is started first.
        cwd=tree,
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


def cpu_seconds(pid: int) -> float:
    """Returns the processor time that a process and those below it took so far."""
    process = Path(f"/proc/{pid}")
    # The name, which may hold anything, ends at the last bracket.
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND
    below: set[int] = set()
    for task in (process / "task").iterdir():
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            below.update(map(int, (task / "children").read_text().split()))
    return own + sum(map(cpu_seconds, below))


def resident_bytes(pid: int) -> int:
    """Returns the memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
