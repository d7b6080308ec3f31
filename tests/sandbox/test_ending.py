"""The sandbox's processes end with the process that uses them, however that ends, and whatever they do then."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data import processes
from tracestore.sandbox.sandbox import Sandbox

PROGRAM = """
import os, signal, sys, threading, time
from tracestore.sandbox.bounds import Bounds
from tracestore.sandbox.sandbox import Sandbox

sandbox = Sandbox(lanes=1)
sandbox.call("def f():\\n    return 1", "f", {})
pid = sandbox._idle[0].pid
print(pid, *open(f"/proc/{pid}/task/{pid}/children").read().split(), flush=True)
if sys.argv[1] == "busy":
    code = "def f():\\n    while True:\\n        pass"
    call = lambda: sandbox.call(code, "f", {}, Bounds(time_s=1.0))
    threading.Thread(target=call, daemon=True).start()
    while sandbox._idle:
        pass
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_ended(pid: str) -> bool:
    """Tells whether a process has ended, though nobody may have asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_process_that_is_killed_leaves_none_behind(state: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, state],
        capture_output=True,
        text=True,
        timeout=processes.HANG_S,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pids = done.stdout.split()
    assert len(pids) == 2
    deadline = time.monotonic() + processes.HANG_S
    while not all(map(is_ended, pids)):
        assert time.monotonic() < deadline, pids


def test_a_sandbox_is_used_by_threads_that_end_and_closed_while_they_call() -> None:
    sandbox = Sandbox(lanes=2)
    code = "def f(n):\n    return n"
    for _ in range(3):
        # The threads of each pool end; the processes that they started stay.
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda n: sandbox.call(code, "f", {"n": n}), range(8)))
        assert [outcome.value for outcome in outcomes] == list(range(8))
    assert sandbox.replaced == 0
    sandbox.close()


def test_a_closed_sandbox_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sandbox = Sandbox(lanes=1)
    assert sandbox.call("def f():\n    return 1", "f", {}).value == 1
    assert list(tmp_path.iterdir()) != []
    sandbox.close()
    assert list(tmp_path.iterdir()) == []
