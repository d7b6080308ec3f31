"""The command line."""

from tracestore.cli.main import app, main

__all__ = ["app", "main"]
