"""`tracestore demo`: the store at work."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tracestore.demo import run_demo
from tracestore.serving.logs import configure_logs


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="An empty folder; default a new temporary one.")
    ] = None,
    traces: Annotated[int, typer.Option(min=4, max=10_000, help="Agent runs to report.")] = 60,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the server up, and say which pages to open.")
    ] = False,
) -> None:
    """Shows the store at work: a server, an agent that reports to it, and questions. Ends by itself."""
    configure_logs("warning")
    run_demo(
        data or Path(tempfile.mkdtemp(prefix="tracestore-demo-")), traces, Console(), keep=keep
    )
