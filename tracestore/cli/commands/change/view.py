"""`tracestore view`: a DuckDB file through which any DuckDB reads the segments of a folder as typed tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import duckdb
import typer

from tracestore.cli.connection import folder_of, opened_to_read
from tracestore.cli.options import DataOption
from tracestore.cli.printing import note, tell
from tracestore.variant import LEAVES, OVERFLOW, TABLES, parse_leaf_name

TABLE_NAMES: Final = ("spans", "logs")

MAX_COLUMNS: Final = 2000
"""Paths of a view, the densest of the project: a reader of more columns is slow to bind."""

DERIVED: Final = {
    "is_root": "parent_span_id IS NULL",
    # Added as microseconds: nanoseconds of a start and a duration that fit may not fit together.
    "end_time": "make_timestamptz(start_ns // 1000 + duration_ns // 1000"
    " + (start_ns % 1000 + duration_ns % 1000) // 1000)",
    "duration": "duration_ns / 1e9",
}


def view(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The .duckdb file to write.")],
    data: DataOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replaces the file.")] = False,
) -> None:
    """Writes a DuckDB file with a view of each project, which any DuckDB reads without tracestore.

    Each project is a schema with the views spans and logs. A path is a column named as in SQL; one whose rows have
    several types is one column for each, with the type behind it: "attributes.status:i64". The views read the
    segments that there are now: write the file again for later ones, and after merges. Rows in memory and late
    scores are in no segment yet: `tracestore compact` brings them there.
    """
    if target.exists() and not overwrite:
        raise typer.BadParameter(f"{target} is there already; give --overwrite", param_hint="FILE")
    folder = folder_of(data)
    files: dict[tuple[str, str], list[str]] = defaultdict(list)
    with opened_to_read(folder) as store, store.snapshot(TABLE_NAMES) as snapshot:
        for table in snapshot.tables.values():
            for segment in table.segments:
                files[segment.project, segment.table].append(str(segment.local_path.absolute()))
        target.unlink(missing_ok=True)
        with duckdb.connect(str(target)) as connection:
            for (project, table_name), names in sorted(files.items()):
                paths = [row for row in store.paths(table_name, project) if row.type != "bin"]
                densest = sorted(paths, key=lambda row: -row.rows)[:MAX_COLUMNS]
                leaves = [f"{row.path}:{row.type}" for row in densest]
                _create(connection, project, table_name, names, leaves)
    if not files:
        note(f"{folder} has no segment yet; `tracestore compact` writes what is in memory")
    tell(f'wrote {target}: {len(files)} views; ask: duckdb {target} "SHOW ALL TABLES"')


def _create(
    connection: duckdb.DuckDBPyConnection,
    project: str,
    table: str,
    files: Sequence[str],
    leaves: Sequence[str],
) -> None:
    listed = ", ".join(map(_text, files))
    source = f"read_parquet([{listed}], union_by_name = true)"
    stored = connection.execute(f"FROM {source} LIMIT 0").description or []
    columns = ", ".join(_columns(table, {name for name, *_ in stored}, leaves))
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_name(project)}")
    connection.execute(
        f"CREATE VIEW {_name(project)}.{_name(table)} AS SELECT {columns} FROM {source}"  # noqa: S608 - quoted
    )


def _columns(table: str, stored: set[str], leaves: Sequence[str]) -> Iterator[str]:
    """Yields the items of a view's select list: the fixed columns, then each path, the densest first."""
    fixed = {name for name in stored if name in TABLES[table].columns}
    # DuckDB finds columns without regard to case, so that of two names that differ in it alone one is read.
    taken: set[str] = set()
    for name in TABLES[table].columns:
        if name in fixed or name in DERIVED:
            taken.add(name.lower())
            yield f"{DERIVED[name]} AS {_name(name)}" if name in DERIVED else _name(name)
    by_path: dict[str, list[str]] = defaultdict(list)
    for name in leaves:
        by_path[".".join(parse_leaf_name(name)[0])].append(name)
    for path, names in by_path.items():
        for name in names:
            of_type = f"{path}:{parse_leaf_name(name)[1]}"
            choices = [path, of_type, name] if len(names) == 1 else [of_type, name]
            shown = next((each for each in choices if each.lower() not in taken), None)
            if shown is not None:
                taken.add(shown.lower())
                yield f"{_value(name, in_column=name in stored)} AS {_name(shown)}"


def _value(leaf: str, *, in_column: bool) -> str:
    """Returns a leaf's value: from its column, and where a segment gave it none from the rest of the row."""
    leaf_type = parse_leaf_name(leaf)[1]
    pointer = _text("/" + leaf.replace("~", "~0").replace("/", "~1"))
    rest = f"json_extract({OVERFLOW}, {pointer})"
    if leaf_type == "str":
        rest = f"json_extract_string({OVERFLOW}, {pointer})"
    elif leaf_type == "json[]":
        rest = f"CAST(CAST({rest} AS JSON[]) AS VARCHAR[])"
    else:
        rest = f"CAST({rest} AS {LEAVES[leaf_type].sql})"
    return f"coalesce({_name(leaf)}, {rest})" if in_column else rest


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
