"""`tracestore score`: one late score of one span."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tracestore.cli.connection import writing
from tracestore.cli.options import DataOption, KeyOption, ProjectOption, UrlOption
from tracestore.cli.printing import tell


def score(
    trace_id: Annotated[str, typer.Argument(metavar="TRACE", help="The span's trace id.")],
    span_id: Annotated[str, typer.Argument(metavar="SPAN", help="The span's id.")],
    name: Annotated[str, typer.Argument(help="The score's name.")],
    value: Annotated[
        str, typer.Argument(help="A number, true, false, or null to remove the score.")
    ],
    comment: Annotated[str | None, typer.Option(help="Added to the span's comments.")] = None,
    author: Annotated[str | None, typer.Option(help="The author of the comment.")] = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    project: ProjectOption = None,
) -> None:
    """Scores a span, even one that has not arrived yet; every later query sees the score."""
    try:
        given = json.loads(value)
    except ValueError:
        given = value
    if not isinstance(given, int | float | bool | None):
        raise typer.BadParameter(f"{value!r} is no number; give a number, true, false or null")
    with writing(data, url, key) as source:
        source.score(
            (trace_id, span_id), name, given, comment=comment, author=author, project=project
        )
    tell(f"scored {name} of span {span_id}")
