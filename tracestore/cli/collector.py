"""The cycle collector of the program: what modules make lives as long as the process, and is never looked at."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_program = False


def take_charge() -> None:
    """Says that this process is the program, and holds the collector off until its command is loaded.

    The collector of any other process is left as it is.
    """
    global _program  # noqa: PLW0603 - one collector a process
    _program = True
    gc.disable()


@contextlib.contextmanager
def held_off() -> Iterator[None]:
    """Holds the collector off while modules load, and has it leave alone whatever there is then.

    Loading makes hundreds of thousands of objects: to look at them again and again, and once more when the process
    ends, takes a fourth of a short command.
    """
    if not _program:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
