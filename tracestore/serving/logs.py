"""The server's own log: lines for people, or JSON for programs, on standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Final, Literal, TextIO, cast

import structlog

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
"""Says where a fault arose, without the values of variables there: one of them may be a key."""


class StandardError:
    """What standard error is at the time of each line. A line that cannot be written is lost, and ends no thread."""

    def write(self, text: str) -> None:
        """Writes a text."""
        with contextlib.suppress(OSError, ValueError):  # its reader is gone, or it is closed
            sys.stderr.write(text)

    def flush(self) -> None:
        """Hands on what was written."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def configure_logs(level: LogLevel = "info", form: LogFormat = "text") -> None:
    """Sets what is logged and how: at `debug` a line for every request, at `info` what the server does."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([_TRACEBACKS] if form == "json" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", StandardError())),
    )
