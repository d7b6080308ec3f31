"""`tracestore push`: scorers and tools of a file put on a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from tracestore.cli.connection import writing
from tracestore.cli.options import DataOption, KeyOption, UrlOption
from tracestore.cli.printing import tell
from tracestore.cli.pushed_file import Pushed, read
from tracestore.errors import ClientError, CodeError


def push(
    file: Annotated[
        Path,
        typer.Argument(
            help="A Python file with lists `scores` and `tools` of its functions.",
            exists=True,
            dir_okay=False,
        ),
    ],
    project: Annotated[
        str | None, typer.Option(help="Whose scorers and tools they are; default `default`.")
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Puts the scorers and tools of a file on a server; status 1 and FILE:LINE where it does not take one."""
    try:
        scorers, tools = read(file)
    except CodeError as error:
        _refused(file, error.line or 1, str(error))
    with writing(data, url, key, create=False) as target:
        if not hasattr(target, "scorers"):
            raise typer.BadParameter(
                "scorers and tools run on a server: name one by --url, or serve the folder"
            )
        for kind, client, each in (
            *(("scorer", target.scorers, scorer) for scorer in scorers),
            *(("tool", target.tools, tool) for tool in tools),
        ):
            _push(file, kind, client, each, project)


def _push(file: Path, kind: str, client: Any, pushed: Pushed, project: str | None) -> None:
    try:
        saved = client.put(pushed.name, pushed.body, project=project)
    except ClientError as error:
        if error.status not in {400, 422}:
            raise
        lines = [each.get("line") for each in error.problem.get("errors") or ()]
        _refused(file, next(filter(None, lines), pushed.line), str(error))
    tell(f"{kind} {pushed.name}: version {saved['version']}")


def _refused(file: Path, line: int, why: str) -> NoReturn:
    typer.echo(f"{file}:{line}: {why}", err=True)
    raise typer.Exit(1)
