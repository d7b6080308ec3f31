"""What the operating system holds the engine process to: memory, and who goes first where there is none left."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import signal
from pathlib import Path
from typing import Final

BASE_BYTES: Final = 768 * 1024 * 1024
"""Bytes beside what the engine counts itself: the interpreter, plans, caches of the store, stacks of threads."""

RETIRE_SHARE: Final = 7 / 8
"""Share of its bound from which on a process that does nothing is replaced. Allocators give back what is free in
whole pages only, so a process that has run for long comes near its bound with little in use."""

_PR_SET_PDEATHSIG: Final = 1


def data_bound(engine_bytes: int) -> int:
    """Returns how many bytes of private memory the process may have, given what the engine may count."""
    return engine_bytes + engine_bytes // 4 + BASE_BYTES


def apply(data_bytes: int) -> None:
    """Bounds this process.

    RLIMIT_DATA counts private memory that can be written, whoever asks for it and before it is touched. So one value
    of gigabytes fails as an allocation, which the engine reports. RLIMIT_AS would count mapped files, too.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        # Where the machine itself runs out, this process goes before the one that takes data.
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def is_nearly_full() -> bool:
    """Tells whether this process has so much memory of its bound that it should be replaced."""
    bound, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if bound == resource.RLIM_INFINITY:
        return False
    status = Path("/proc/self/status").read_text(encoding="ascii")
    data_kib = int(status.partition("VmData:")[2].split(maxsplit=1)[0])
    return data_kib * 1024 > bound * RETIRE_SHARE


def end_with_parent() -> None:
    """Has the kernel end this process when its parent ends, however that happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
