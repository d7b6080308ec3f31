"""`tracestore query` and `tracestore schema`: SQL, and the paths that it can ask for."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from tracestore.cli.connection import reading
from tracestore.cli.options import (
    DataOption,
    FormatOption,
    KeyOption,
    UrlOption,
    VerticalOption,
    WideOption,
)
from tracestore.cli.printing import note, show


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT statement; '-' reads it from stdin.")],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
    wide: WideOption = False,
    vertical: VerticalOption = False,
) -> None:
    """Answers one SQL statement."""
    text = sys.stdin.read() if sql == "-" else sql
    with reading(data, url, key) as source:
        answer = source.sql(text)
        rows = answer.rows()
    show(rows, format, columns=answer.names, types=answer.types, wide=wide, vertical=vertical)
    for warning in answer.warnings:
        note(warning)


def schema(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    table: Annotated[Literal["spans", "logs"], typer.Option(help="Whose paths.")] = "spans",
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Lists the paths of a table with their types and rows."""
    with reading(data, url, key) as source:
        rows = source.sql(
            'SELECT path, type, rows FROM paths WHERE "table" = $t ORDER BY path, type',
            {"t": table},
        ).rows()
    show(rows, format, empty=f"no {table} yet, so no path; `tracestore demo` sends some to try")
