"""What the commands share: options, consoles, the store or server they talk to, and how rows are shown."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tracestore.client import Client
from tracestore.embedded import open as open_store

out = Console()
err = Console(stderr=True)

DataOption = Annotated[
    Path, typer.Option("--data", envvar="TRACESTORE_DATA", help="The store's folder.")
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="TRACESTORE_URL", help="A running server, instead of a folder."),
]
FormatOption = Annotated[str, typer.Option("--format", help="table, json, ndjson or csv.")]
ProjectOption = Annotated[str | None, typer.Option(help="The project; default `default`.")]
DEFAULT_DATA = Path("tracestore-data")


@contextlib.contextmanager
def opened(data: Path, url: str | None) -> Iterator[Any]:
    """Gives the store of a folder, or a client of a server: both have the same verbs."""
    if url is not None:
        with Client(url) as client:
            yield client
    else:
        with open_store(data) as store:
            yield store


def show(rows: list[dict[str, Any]], kind: str) -> None:
    """Prints rows as a table, JSON, NDJSON or CSV."""
    if kind == "json":
        out.print_json(json.dumps(rows, default=str))
    elif kind == "ndjson":
        for row in rows:
            sys.stdout.write(json.dumps(row, default=str) + "\n")
    elif kind == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(rows[0].keys() if rows else ())
        writer.writerows([_cell(value) for value in row.values()] for row in rows)
    else:
        table = Table(show_lines=False)
        for name in rows[0] if rows else ():
            table.add_column(name, overflow="ellipsis", no_wrap=True, max_width=60)
        for row in rows:
            table.add_row(*(_cell(value) for value in row.values()))
        out.print(table)
        out.print(f"{len(rows)} rows", style="dim")


def _cell(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    return "" if value is None else str(value)
