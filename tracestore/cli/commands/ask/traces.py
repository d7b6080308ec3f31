"""`tracestore trace` and `tracestore tail`: one trace as a tree, and spans as they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

import tracestore
from tracestore.cli.cells import in_one_line, padded, width_of
from tracestore.cli.connection import folder_of, reading, server_of
from tracestore.cli.options import DataOption, Format, KeyOption, ProjectOption, UrlOption
from tracestore.cli.printing import say, show, tell, terminal_width
from tracestore.errors import StoreLockedError

MAX_SPANS: Final = 10_000
"""Spans of one trace that are printed, the earliest first."""

TREE: Final = """
    SELECT trace_id, span_id, parent_span_id, name, type, service, start_ns, duration, status_code,
           coalesce(error.message::VARCHAR, status_message) AS message, metrics.tokens AS tokens,
           metrics.estimated_cost AS cost
    FROM spans WHERE starts_with(trace_id, $id) ORDER BY start_ns, span_id LIMIT $most"""

WHOLE: Final = (
    "SELECT * FROM spans WHERE starts_with(trace_id, $id) ORDER BY start_ns, span_id LIMIT $most"
)

LEAST_ID: Final = 6
"""Digits of an id that are enough to name a trace."""

Row = Mapping[str, Any]


def trace(
    trace_id: Annotated[str, typer.Argument(metavar="ID", help="The trace's id, or its start.")],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, typer.Option("--format", help="Whole spans as rows, instead of the tree.")
    ] = None,
) -> None:
    """Prints a trace as a tree."""
    wanted = trace_id.strip().lower()
    if len(wanted) < LEAST_ID or set(wanted) - set("0123456789abcdef"):
        raise typer.BadParameter(
            f"{trace_id!r} is no trace id; give at least {LEAST_ID} hex digits"
        )
    with reading(data, url, key) as source:
        sql = TREE if format is None else WHOLE
        answer = source.sql(sql, {"id": wanted, "most": MAX_SPANS + 1})
        rows = answer.rows()
    ids = {row["trace_id"] for row in rows}
    if not ids:
        tell(f"error: no trace begins with {wanted}; the table traces has all ids")
        raise typer.Exit(1)
    if len(ids) > 1:
        tell(f"error: {len(ids)} traces begin with {wanted}: {', '.join(sorted(ids)[:5])}")
        raise typer.Exit(1)
    if format is not None:
        show(rows, format, columns=answer.names, types=answer.types)
    else:
        for line in tree_lines(rows[:MAX_SPANS], terminal_width()):
            say(line)
    if len(rows) > MAX_SPANS:
        tell(f"note: the trace has more than {MAX_SPANS:,} spans; the earliest are shown")


def tree_lines(rows: Sequence[Row], width: int | None) -> Iterator[str]:
    """Yields a trace's spans, each below its parent: name, type, duration, tokens, cost, what failed."""
    first_ns = min(row["start_ns"] for row in rows)
    last_ns = max(row["start_ns"] + round((row["duration"] or 0) * 1e9) for row in rows)
    services = list(dict.fromkeys(row["service"] for row in rows if row["service"]))
    failed = sum(row["status_code"] == "ERROR" for row in rows)
    head = [
        f"trace {rows[0]['trace_id']}",
        f"{len(rows):,} spans",
        duration_text((last_ns - first_ns) / 1e9),
    ]
    yield "  ".join(
        [*head, *([f"{failed} failed"] if failed else []), ", ".join(services)]
    ).rstrip()
    lines = [(left + in_one_line(row["name"] or "?"), _facts(row)) for left, row in _walked(rows)]
    column = max(width_of(name) for name, _ in lines)
    for name, facts in lines:
        line = f"{padded(name, column)}  {facts}"
        yield line.rstrip() if width is None else padded(line, width).rstrip()


def duration_text(seconds: float | None) -> str:
    """Returns a duration in the unit in which a person reads it."""
    if seconds is None:
        return "running"
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def tail(
    where: Annotated[
        str, typer.Option("--where", help="A condition of SQL, e.g. \"type = 'llm'\".")
    ] = "",
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    project: ProjectOption = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="Ends after so many spans.")
    ] = None,
) -> None:
    """Prints spans as they arrive, until Ctrl-C."""
    server = server_of(data, url)
    if server is None:
        server = _server_of_folder(data)
    left = count
    with tracestore.Client(server, key) as client:
        tell(f"watching {client.url}; Ctrl-C ends it")
        try:
            for spans in client.explore.tail(where, project=project):
                for span in list(reversed(spans))[:left]:
                    say(_arrived(span))
                left = None if left is None else left - len(spans)
                if left is not None and left <= 0:
                    return
        except KeyboardInterrupt:
            return


def _server_of_folder(data: Any) -> str:
    """Returns where a folder is served; where nobody writes to it nothing arrives."""
    folder = folder_of(data)
    try:
        tracestore.open(folder, create=False, background=False).close()
    except StoreLockedError as error:
        if error.url is not None:
            return error.url
    raise typer.BadParameter(
        f"no server runs on {folder}, so nothing arrives; name one by --url URL"
    )


def _arrived(span: Row) -> str:
    facts = [span["type"] or "", duration_text((span["duration_ns"] or 0) / 1e9)]
    if span["status_code"] == "ERROR":
        facts.append("ERROR")
    return f"{span['trace_id'][:12]}  {span['name']}  {'  '.join(fact for fact in facts if fact)}"


def _facts(row: Row) -> str:
    facts = [row["type"] or "", duration_text(row["duration"])]
    if row["tokens"] is not None:
        facts.append(f"{row['tokens']:,} tokens")
    if row["cost"] is not None:
        facts.append(f"${row['cost']:.4g}")
    if row["status_code"] == "ERROR":
        facts.append(f"ERROR {row['message'] or ''}".rstrip())
    return "  ".join(fact for fact in facts if fact)


def _walked(rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Yields rows below their parents with the branches at their left; one whose parent is missing is a root.

    Rows that are each other's ancestors come at the end, as roots: nothing is left out.
    """
    known = {row["span_id"] for row in rows}
    children: dict[str | None, list[Row]] = {}
    for row in rows:
        parent = row["parent_span_id"] if row["parent_span_id"] in known else None
        children.setdefault(parent, []).append(row)
    seen: set[int] = set()
    for root in [*children.get(None, ()), *rows]:
        stack = [("", "", root)]
        while stack:
            before, branch, row = stack.pop()
            if id(row) in seen:
                continue
            seen.add(id(row))
            yield before + branch, row
            below = before + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
            own = children.get(row["span_id"], ())
            marks = ["├─ "] * (len(own) - 1) + ["└─ "]
            stack += [
                (below, mark, child)
                for mark, child in reversed(list(zip(marks, own, strict=False)))
            ]
