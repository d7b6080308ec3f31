"""What one call in the sandbox may use, and what its processes may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_CODE_BYTES: Final = 64 * 1024
"""Bytes of a document's code: a module of a thousand lines."""

MAX_ARGUMENT_BYTES: Final = 4 * 1024 * 1024
"""Bytes of one call's arguments as JSON: what a request of the API may have."""

MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
"""Bytes of a frame between this process and the sandbox: code, arguments and output together fit."""

MAX_MESSAGE_CHARACTERS: Final = 1000
"""Characters of an error's message; an exception may carry a text of megabytes."""

MAX_DEPTH: Final = 64
"""Nesting of a result. What reads it recurses."""

MAX_RECURSION: Final = 200
"""Calls inside of calls. The interpreter's own stack holds five times as many."""

MAX_TIME_S: Final = 30.0
"""Seconds that a caller may ask for: a person waits that long, and a lane is taken meanwhile."""

GRACE_S: Final = 0.5
"""Seconds beyond its time after which a call that does not stop loses its worker."""

PATIENCE_S: Final = 3.0
"""Seconds beyond its time after which both processes of a call are ended: reading what it gave takes part of them."""

START_S: Final = 20.0
"""Seconds in which the processes must be there: 0.2 on a quiet machine."""

CALLS_PER_WORKER: Final = 1000
"""Calls after which a worker process is replaced, so that what an interpreter may leak stays small."""

WORKER_ADDRESS_BYTES: Final = 512 * 1024 * 1024
"""Bytes of address space of a worker. Its program maps about 120 MB before it runs anything."""

WORKER_CPU_S: Final = 3600
"""Seconds of processor time of a worker in its whole life: one that nobody ends any more ends itself."""

SPEAKER_DATA_BYTES: Final = 512 * 1024 * 1024
"""Bytes of private memory of the process that speaks with a worker."""

OPEN_FILES: Final = 64
"""Open files of each process; a worker needs a handful."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one call.

    Attributes:
        time_s: seconds that it may run.
        memory_bytes: bytes of what it holds at once.
        output_bytes: bytes of its result as JSON, and as many again of what it prints.
    """

    time_s: float = 2.0
    memory_bytes: int = 64 * 1024 * 1024
    output_bytes: int = 256 * 1024
