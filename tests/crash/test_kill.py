"""SIGKILL at random moments: every acknowledged row is there once after reopening, none is invented.

TRACESTORE_KILLS=500 kills more often than the 30 times of every run.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.killed import SPANS_PER_REQUEST
from data import processes
from store.kit import open_store, span_ids

KILLS = int(os.environ.get("TRACESTORE_KILLS", "30"))
WORK = ("ingest", "flush", "merge")
KILLS_PER_FOLDER = 5


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[bytes]]:
    tests = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])}
    with processes.running(
        [sys.executable, "-m", "crash.killed"],
        text=False,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        bufsize=0,
    ) as process:
        yield process


def run_and_kill(
    server: subprocess.Popen[bytes], folder: Path, first: int, work: str, acknowledgements: int
) -> tuple[set[int], set[int]]:
    """Returns (sent, acknowledged) requests of a process killed after so many acknowledgements."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{folder}\t{first}\t{work}\n".encode())
    text = b""
    killed = False
    while not text.endswith(b"k 0\n"):
        part = server.stdout.read(65536)
        assert part, "the server ended"
        text += part
        pid = re.search(rb"^p (\d+)$", text, re.MULTILINE)
        if not killed and pid and text.count(b"\na ") >= acknowledgements:
            os.kill(int(pid.group(1)), signal.SIGKILL)
            killed = True
    assert killed, "the writer ended by itself"
    lines = text.decode().splitlines()
    sent = {int(line[2:]) for line in lines if line.startswith("s ")}
    return sent, {int(line[2:]) for line in lines if line.startswith("a ")}


@pytest.mark.parametrize("work", WORK)
def test_killed_while(server: subprocess.Popen[bytes], tmp_path: Path, work: str) -> None:
    rng = random.Random(work)
    folder = tmp_path / "0"
    sent: set[int] = set()
    acknowledged: set[int] = set()
    for kill in range(KILLS // len(WORK)):
        if kill % KILLS_PER_FOLDER == 0:
            folder, sent, acknowledged = tmp_path / str(kill), set(), set()
        # The killed request's number is not used again: whether it was stored is unknown.
        first = max(sent, default=-1) + 1
        new_sent, new_acknowledged = run_and_kill(server, folder, first, work, rng.randrange(1, 60))
        sent |= new_sent
        acknowledged |= new_acknowledged
        with open_store(folder) as store:
            found = [int(text, 16) - 1 for text in span_ids(store)]
            assert len(found) == len(set(found)), "a row is there twice"
            whole = {number // SPANS_PER_REQUEST for number in found}
            assert len(found) == len(whole) * SPANS_PER_REQUEST, "a request is there in part"
            assert whole <= sent, "a row was invented"
            assert acknowledged <= whole, f"lost requests {sorted(acknowledged - whole)}"
            assert store.check(deep=True).ok
