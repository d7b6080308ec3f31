"""An export in a process of its own that ends at a chosen byte or step, as by a power switch."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tracestore
from tracestore import Store
from tracestore.exports import export
from tracestore.exports import targets as export_targets
from tracestore.exports.state import StateFile

SQL = "SELECT span_id, name, duration_ns, tags, input FROM spans ORDER BY name, span_id"
PART_ROWS = 3_000
STATE_BYTES = 100_000


def run(store: Store, output: str, kind: str | None, *, resume: bool) -> None:
    export(store, SQL, output, format=kind, part_rows=PART_ROWS, resume=resume)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_or_after(act: Callable[..., Any], number: int) -> Callable[..., Any]:
    """Returns the act, which ends the process before it (even numbers) or after it (odd) the nth time."""
    calls = 0

    def acting(*arguments: Any) -> Any:
        nonlocal calls
        if number == 2 * calls:
            die()
        result = act(*arguments)
        if number == 2 * calls + 1:
            die()
        calls += 1
        return result

    return acting


def export_and_die(folder: Path, output: str, kind: str | None, moment: tuple[str, int]) -> None:
    """Exports until the moment: a byte of the output, or a step. Runs in a process of its own."""
    what, number = moment
    sink: Any = export_targets._HashedSink
    export_targets.STATE_BYTES = STATE_BYTES  # type: ignore[misc]
    left = number
    write = sink.write

    def write_some(self: Any, data: Any) -> None:
        nonlocal left
        if what == "byte" and len(data) > left:
            write(self, bytes(data)[:left])
            if hasattr(self._sink, "flush"):
                self._sink.flush()
            die()
        left -= len(data)
        write(self, data)

    sink.write = write_some
    if what == "state":
        StateFile.write = before_or_after(StateFile.write, number)  # type: ignore[method-assign]
    if what == "publish":
        target: Any = export_targets.Target
        target.publish = before_or_after(target.publish, number)
    with tracestore.open(folder, "r") as opened:
        run(opened, output, kind, resume=False)
