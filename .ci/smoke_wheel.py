"""Uses an installed tracestore from an empty folder: kernels, store, engine and command line work together."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import tracestore


def main() -> None:
    """Stores a span, asks for it, and prints what was tried."""
    with tempfile.TemporaryDirectory() as folder, tracestore.open(Path(folder) / "store") as store:
        store.insert("spans", [{"name": "smoke", "attributes": {"answer": 42}}])
        store.flush()
        answer = [
            row["answer"] for row in store.sql("SELECT attributes.answer AS answer FROM spans")
        ]
        if answer != [42]:
            raise SystemExit(f"cannot use the wheel: got {answer}; want [42]")
    command = [str(Path(sys.executable).parent / "tracestore"), "--version"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own
    if version("tracestore") not in printed:
        raise SystemExit(f"cannot use the command line: it printed {printed!r}")
    print(f"tracestore {version('tracestore')} works on Python {sys.version.split()[0]}")  # noqa: T201 - a program


main()
