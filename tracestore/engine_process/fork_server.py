"""The program that starts engine processes: it has imported what they need, so that one is there in milliseconds.

    python -m tracestore.engine_process.fork_server SOCKET MODULE

It forks while it has a single thread and no engine of its own, and does nothing else: it tells which child ended and
how, and kills one when it is asked. When the serving process goes, its socket ends, and so do all children.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from tracestore.engine_process import bounds

MAX_MESSAGE_BYTES: Final = 16 * 1024

Start = Callable[[dict[str, Any], list[int]], None]


def main() -> None:
    """Serves until the socket ends."""
    control = socket.socket(fileno=int(sys.argv[1]))
    start: Start = importlib.import_module(sys.argv[2]).main
    bounds.end_with_parent()
    # Objects that are never freed keep their pages shared with every child.
    gc.freeze()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the serving process decides when to stop
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    children: set[int] = set()
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    if not _obey(control, children, start, (woken, wakes)):
                        _kill_all(children)
                        return
                else:
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, 4096)
            _reap(control, children)


def _obey(control: socket.socket, children: set[int], start: Start, pipe: tuple[int, int]) -> bool:
    """Carries out one message; returns whether there was one."""
    data, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, 8)
    if not data:
        return False
    message = json.loads(data)
    if "kill" in message:
        if message["kill"] in children:
            os.kill(message["kill"], signal.SIGKILL)
        return True
    pid = os.fork()
    if pid == 0:
        _become_child(control, start, pipe, message["start"], descriptors)
    children.add(pid)
    for descriptor in descriptors:
        os.close(descriptor)
    control.sendall(json.dumps({"started": pid}).encode())
    return True


def _become_child(
    control: socket.socket,
    start: Start,
    pipe: tuple[int, int],
    settings: dict[str, Any],
    descriptors: list[int],
) -> None:
    """Runs the engine in this process, and never returns."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        for descriptor in pipe:
            os.close(descriptor)
        bounds.end_with_parent()
        start(settings, descriptors)
        status = 0
    except BaseException:  # noqa: BLE001 - nothing of the fork server may run in the child
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _reap(control: socket.socket, children: set[int]) -> None:
    for pid in list(children):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            children.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            control.sendall(json.dumps({"ended": pid, "status": code}).encode())


def _kill_all(children: set[int]) -> None:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
