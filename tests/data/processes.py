"""Programs that tests run: each in a process group of its own, which has ended when the block is left.

Whatever a test starts it ends and waits for, also when it fails. On Linux a program also dies with the
process that runs the tests, however that ends. Only this module starts programs.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Seconds after which something hangs: far more than anything needs on a machine that is kept busy.
# No test says anything about speed.
HANG_S = 900.0

# A program asks for SIGKILL at the end of its parent, and is then replaced by the one that is wanted.
_PR_SET_PDEATHSIG = 1
_DIES_WITH_PARENT = f"""
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the tests have ended")
os.execvp(sys.argv[2], sys.argv[2:])
"""

TRACESTORE = [sys.executable, "-P", "-c", "from tracestore.cli import main; main()"]


def run(
    command: Sequence[str], *, check: bool = False, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end and returns its status and what it printed."""
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more) as process:
        stdout, stderr = process.communicate(timeout=HANG_S)
    done = subprocess.CompletedProcess(list(command), process.returncode, stdout, stderr)
    assert not check or done.returncode == 0, stderr
    return done


@contextlib.contextmanager
def running(
    command: Sequence[str], *, text: bool = True, **more: Any
) -> Iterator[subprocess.Popen[Any]]:
    """Starts a program; at the end of the block kills what is left of its group and waits for it."""
    # Another user may not be allowed to run this interpreter.
    if sys.platform == "linux" and "user" not in more:
        command = [sys.executable, "-I", "-S", "-c", _DIES_WITH_PARENT, str(os.getpid()), *command]
    process = subprocess.Popen(list(command), text=text, process_group=0, **more)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """Kills a program and what it started, waits for it and closes its pipes."""
    _kill(process)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _kill(process: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(HANG_S)


@dataclass(frozen=True)
class Served:
    """A `tracestore serve` in a process of its own.

    Attributes:
        url: Where it answers HTTP.
        grpc_address: Where it takes OTLP over gRPC; empty where it does not.
        process: The process, which `stop` ends in good order.
    """

    url: str
    grpc_address: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """Sends SIGTERM and returns the status with which the server ends."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(HANG_S)


@contextlib.contextmanager
def serving(
    data: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Serves a folder on ports that are free; waits until it answers."""
    command = [*TRACESTORE, "serve", "--data", str(data), "--port", "0", *options]
    variables = {**os.environ, **(environment or {})}
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with running(command, env=variables, **pipes) as process:
        assert process.stderr is not None
        url, grpc_address = _addresses(process.stderr)
        # A server whose log nobody reads stands still once the pipe is full.
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        try:
            yield Served(url, grpc_address, process)
        finally:
            _kill(process)
            drain.join()


def _addresses(printed: IO[str]) -> tuple[str, str]:
    """Reads the lines that a server prints once it answers; returns its URL and gRPC address."""
    grpc_address = ""
    lines = []
    for line in printed:
        lines.append(line)
        if "OTLP over gRPC" in line:
            grpc_address = line.split()[-1]
        found = re.search(r"(http://\S+)/api/query", line)
        if found:
            return found[1], grpc_address
    raise AssertionError(f"the server ended: {''.join(lines)}")
