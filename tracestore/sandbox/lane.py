"""One pair of processes of the sandbox, as this process holds it: a call at a time, each with its deadline."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tracestore.sandbox import confinement, frames
from tracestore.sandbox.bounds import (
    OPEN_FILES,
    START_S,
    WORKER_ADDRESS_BYTES,
    WORKER_CPU_S,
)
from tracestore.sandbox.frames import FrameError
from tracestore.store import ScratchFolder

END_S: Final = 10.0
"""Seconds that processes which were killed may take to be gone."""

_KEPT: Final = ("LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""Variables that Python may need to start. Others may hold keys."""

_START: Final = """\
import sys
sys.path += {folders!r}
from tracestore.sandbox.program import main
main()
"""


class LaneBrokenError(Exception):
    """A pair of processes that ended or did not answer in its time."""


class LaneLateError(LaneBrokenError):
    """A pair of processes that did not answer in its time."""


class Lane:
    """A pair of processes of the sandbox. For one thread at a time; `close` ends it."""

    def __init__(self) -> None:
        interpreter = _interpreter()
        # Not the other process's: it is killed, and cleans up nothing.
        self._folder = ScratchFolder("tracestore-sandbox-")
        worker = _written_worker(Path(self._folder.name), interpreter)
        ours, theirs = socket.socketpair()
        self._socket = ours
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                _command(theirs.fileno(), interpreter, worker),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # All that it starts is in its group, and is ended with it.
                process_group=0,
                cwd="/",
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
            )
        try:
            self.ask_started(START_S)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Returns the id of the process that this one speaks with."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Tells whether its process has not ended while no call used it."""
        return self._process.poll() is None

    def ask_started(self, timeout_s: float) -> None:
        """Waits until the processes are there; raises LaneBrokenError where they are not."""
        self._exchange(None, timeout_s)

    def ask(self, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """Returns the answer to a request.

        Raises:
            FrameError: where the request cannot be sent; the lane stays.
            LaneBrokenError: where there is no answer in time; the lane must be closed.
        """
        return self._exchange(frames.encoded(request), timeout_s)

    def _exchange(self, frame: bytes | None, timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s

        def receive(size: int) -> bytes:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            return self._socket.recv(size)

        try:
            if frame is not None:
                self._socket.settimeout(timeout_s)
                self._socket.sendall(frame)
            answer = frames.read(receive)
        except TimeoutError:
            raise LaneLateError("it did not answer in time") from None
        except (OSError, FrameError) as error:
            raise LaneBrokenError(str(error)) from None
        if answer is None:
            raise LaneBrokenError("its process ended")
        return answer

    def close(self) -> None:
        """Ends both processes and waits for them."""
        self._socket.close()
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._folder.cleanup()


def _command(descriptor: int, interpreter: str, worker: str) -> list[str]:
    """Returns what starts the other process.

    It finds modules where this one does, Python's own before all others: a program's folder, which is first here, may
    hold a file named as one of these.
    """
    root = Path(__file__).parents[2]
    folders = [str(root), *(each for each in sys.path if each and Path(each).is_absolute())]
    start = _START.format(folders=folders)
    return [sys.executable, "-I", "-S", "-c", start, str(descriptor), interpreter, worker]


def _written_worker(folder: Path, interpreter: str) -> str:
    """Writes a program that confines itself and becomes the interpreter; returns its path."""
    bounds = f"{WORKER_ADDRESS_BYTES},{WORKER_CPU_S},{OPEN_FILES}"
    words = [sys.executable, "-I", "-S", confinement.__file__, bounds, interpreter]
    path = folder / "worker"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    path.chmod(0o500)
    return str(path)


def _interpreter() -> str:
    """Returns the path of the interpreter's program, which its package puts beside Python's own."""
    beside = Path(sysconfig.get_path("scripts")) / "monty"
    found = str(beside) if beside.is_file() else shutil.which("monty")
    if found is None:
        raise LaneBrokenError("the program monty is not there; pip install pydantic-monty")
    return found
