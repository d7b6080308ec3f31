"""The command line."""

from tracestore.cli.commands import app, main

__all__ = ["app", "main"]
