"""What commands print: rows in the format that was asked for on standard output, all else on standard error."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tracestore.cli.cells import in_one_line, text_of
from tracestore.cli.options import Format
from tracestore.cli.text_table import columns_of, table_lines, vertical_lines


def note(text: str) -> None:
    """Says what a reader should know of an answer."""
    tell(f"note: {text}")


def tell(text: str) -> None:
    """Prints a line about what was done. It may hold text of the data."""
    sys.stderr.write(in_one_line(text) + "\n")


def say(text: str) -> None:
    """Prints a line of an answer. It may hold text of the data."""
    sys.stdout.write(in_one_line(text) + "\n")


def show(
    rows: Sequence[Mapping[str, Any]],
    kind: Format = "table",
    *,
    columns: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    wide: bool = False,
    vertical: bool = False,
    brief: bool = False,
    empty: str | None = None,
) -> None:
    """Prints rows.

    Args:
        rows: with the same keys each.
        kind: the format.
        columns: names of the columns; default those of the first row.
        types: their types, for the head of a table.
        wide: whether a table may be wider than the terminal; it always is where it is piped.
        vertical: whether each value has a line of its own, instead of a table.
        brief: whether a table has times to the minute in UTC and no column that is empty in every row, so that a list
            of what there is fits into a terminal; `wide` and `vertical` show all of it.
        empty: what stands in place of a table without rows, where one would wonder what to do.
    """
    names = list(columns if columns is not None else rows[0] if rows else ())
    if kind == "json":
        sys.stdout.write(json_text(list(rows), indent=2) + "\n")
    elif kind == "ndjson":
        for row in rows:
            sys.stdout.write(json_text(row) + "\n")
    elif kind == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_csv_cell(row[name]) for name in names] for row in rows)
    elif empty is not None and not rows:
        sys.stdout.write(f"{empty}\n")
    else:
        if brief and not (wide or vertical):
            names = [name for name in names if any(row[name] is not None for row in rows)] or names
        values = [[row[name] for name in names] for row in rows]
        width = terminal_width()
        lines = (
            vertical_lines(names, values, width)
            if vertical
            else table_lines(
                columns_of(names, types, values, to_the_minute=brief and not wide),
                None if wide else width,
            )
        )
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.write("1 row\n" if len(rows) == 1 else f"{len(rows):,} rows\n")


def json_text(value: Any, indent: int | None = None) -> str:
    """Returns a value as JSON; numbers that JSON has no form for are their names as text, as over HTTP."""
    options: dict[str, Any] = {"default": text_of, "ensure_ascii": False, "indent": indent}
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_named(value), allow_nan=False, **options)


def _named(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def terminal_width() -> int | None:
    """Returns the places of a line of the terminal, None where output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _csv_cell(value: Any) -> str:
    return "" if value is None else text_of(value)


def show_report(fields: Mapping[str, Any], kind: Format = "table") -> None:
    """Prints the fields of one report: as a table a line each, else as one row."""
    if kind == "table":
        show([{"what": name, "count": value} for name, value in fields.items()])
    else:
        show([fields], kind)


def fields_of(report: Any) -> dict[str, Any]:
    """Returns the fields of a report, of a store or of a server."""
    return dict(report) if isinstance(report, dict) else asdict(report)
