"""`tracestore iceberg …`: tables that programs read which know nothing of tracestore."""

from __future__ import annotations

import typer

import tracestore
from tracestore.cli.bars import err
from tracestore.cli.connection import writing
from tracestore.cli.options import DataOption, FormatOption, KeyOption, UrlOption
from tracestore.cli.printing import fields_of, show_report
from tracestore.iceberg.publisher import Publisher

app = typer.Typer(
    help="Publishes spans and logs as Apache Iceberg tables.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def _iceberg() -> None:
    """Publishes spans and logs as Apache Iceberg tables."""


@app.command()
def publish(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Brings the tables of every project up to now: over the segments as they are, nothing is copied."""
    with writing(data, url, key, create=False) as source, err.status("publishing"):
        if isinstance(source, tracestore.Client):
            report = source.publish_iceberg()
        else:
            report = fields_of(Publisher(source).publish())
    show_report(report, format)
