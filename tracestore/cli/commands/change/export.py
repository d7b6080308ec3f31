"""`tracestore export`: answers, datasets, experiments and whole traces as files."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

import tracestore
from tracestore.cli.bars import err
from tracestore.cli.connection import reading
from tracestore.cli.options import DataOption, KeyOption, ProjectOption, UrlOption
from tracestore.cli.printing import note, tell
from tracestore.exports import Progress, export, export_to

QUERY_MEMORY = "300MB"
"""Of the query that is exported from a folder: a wide sort beyond it uses the disk, so that the process stays
below 1 GiB."""

STDOUT = "-"

CASES = (
    "name, trace_id, span_id, start_time, duration, status_code, input, output, expected, scores, metrics, "
    "metadata, tags, error"
)


def export_rows(
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="A .jsonl, .csv, .parquet or .arrow file, a folder of files, s3://bucket/…, or - for "
            "standard output.",
        ),
    ],
    sql: Annotated[
        str | None, typer.Option("--sql", help="A query; with ORDER BY it can be resumed.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="A dataset's rows.")] = None,
    version: Annotated[
        str | None, typer.Option(help="The dataset's version or snapshot; default the newest.")
    ] = None,
    experiment: Annotated[str | None, typer.Option(help="An experiment's cases.")] = None,
    whole_traces: Annotated[
        bool,
        typer.Option(
            "--whole-traces", help="All spans of the traces that the query's trace_id names."
        ),
    ] = False,
    format: Annotated[  # noqa: A002 - the option's name
        Literal["jsonl", "chat", "csv", "parquet", "variant", "arrow"] | None,
        typer.Option(
            help="Default by the file's name, of standard output jsonl. chat is for fine-tuning, variant is "
            "Parquet with columns of the type VARIANT."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an export that was stopped.")
    ] = False,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    project: ProjectOption = None,
) -> None:
    """Exports a query's answer, a dataset or an experiment: streamed, checked, and resumable."""
    if sum(choice is not None for choice in (sql, dataset, experiment)) != 1:
        raise typer.BadParameter("give one of --sql, --dataset and --experiment")
    if output == STDOUT and resume:
        raise typer.BadParameter("standard output cannot be resumed", param_hint="--resume")
    if whole_traces and dataset is not None:
        raise typer.BadParameter("a dataset has no traces", param_hint="--whole-traces")
    query = sql or _dataset_sql(dataset, version, project) or _experiment_sql(experiment, project)
    if whole_traces:
        query = _traces_sql(query)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with reading(data, url, key) as source, Bars(*columns, console=err, transient=True) as bars:
        if not isinstance(source, tracestore.Client):
            source.query_memory = QUERY_MEMORY
        if output == STDOUT:
            done = export_to(source, query, sys.stdout.buffer, format=format or "jsonl")
            sys.stdout.buffer.flush()
            _tell_refused(done)
            return
        task = bars.add_task("exporting", total=None)

        def show(progress: Progress) -> None:
            bars.update(task, description=f"{progress.rows:,} rows, {progress.bytes / 1e6:,.1f} MB")

        done = export(source, query, output, format=format, resume=resume, on_progress=show)
    files = "" if len(done.files) == 1 else f" in {len(done.files)} files"
    tell(f"wrote {output}: {done.rows:,} rows, {done.bytes:,} bytes{files}")
    _tell_refused(done)


def _tell_refused(done: Progress) -> None:
    if done.refused:
        note(f"left out {done.refused:,} rows that are no conversation")


def _dataset_sql(name: str | None, version: str | None, project: str | None) -> str | None:
    if name is None:
        return None
    version_sql = "NULL" if version is None else version if version.isdigit() else _quoted(version)
    owner = "" if project is None else f", {_quoted(project)}"
    return (
        "SELECT id, input, expected, metadata, tags, origin "  # noqa: S608 - names are quoted
        f"FROM dataset({_quoted(name)}, {version_sql}{owner}) ORDER BY created_ns"
    )


def _experiment_sql(name: str | None, project: str | None) -> str:
    owner = "" if project is None else f", {_quoted(project)}"
    return (
        f"SELECT {CASES} FROM experiment({_quoted(name or '')}{owner}) "  # noqa: S608 - names are quoted
        "WHERE is_root ORDER BY start_ns, trace_id, span_id"
    )


def _traces_sql(query: str) -> str:
    """Returns every span of the traces that a query names, trace by trace."""
    return (
        f"SELECT * FROM spans WHERE trace_id IN (SELECT trace_id FROM ({query.rstrip().rstrip(';')})) "  # noqa: S608
        "ORDER BY trace_id, start_ns, span_id"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
