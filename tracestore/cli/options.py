"""The options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The store's folder; default TRACESTORE_DATA, else tracestore-data.",
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="A running server, instead of a folder; default TRACESTORE_URL."),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", help="The API key for the server; default TRACESTORE_API_KEY."),
]
Format = Literal["table", "json", "ndjson", "csv"]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
WideOption = Annotated[
    bool, typer.Option("--wide", help="Every column and every value whole, however wide.")
]
VerticalOption = Annotated[
    bool, typer.Option("--vertical", help="A line for each value, whole, one row below the other.")
]
ProjectOption = Annotated[str | None, typer.Option(help="The project; default `default`.")]
