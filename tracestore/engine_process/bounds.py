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


def end_with_parent() -> None:
    """Has the kernel end this process when its parent ends, however that happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
