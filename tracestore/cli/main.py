"""The program `tracestore`: its options, and how it ends where something fails."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

import tracestore
from tracestore.cli import collector
from tracestore.cli.command_list import Commands
from tracestore.errors import TraceStoreError

app = typer.Typer(
    cls=Commands,
    name="tracestore",
    help="A columnar store for semi-structured traces: OTLP in, SQL out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tracestore {tracestore.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Prints the version."
        ),
    ] = False,
) -> None:
    del show_version


def main() -> None:
    """Runs the command line; an error we know ends with its message and status 1."""
    collector.take_charge()
    for stream in (sys.stdout, sys.stderr):
        _print_anything(stream)
    try:
        app()
    except BrokenPipeError:
        # Whoever read the output has what it wanted; nothing more may be written at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (TraceStoreError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


def _print_anything(stream: Any) -> None:
    """Lets a stream print what its encoding has no form for."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
