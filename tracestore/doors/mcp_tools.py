"""The tools of the MCP server: bounded answers that say what they leave out and how to get it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from tracestore.doors.api import Api, ApiError
from tracestore.doors.outlines import MAX_ANSWER_CHARACTERS, cut, outline, shown, table

MAX_ROWS: Final = 200
TRACE_SPANS: Final = 20_000
"""Spans of a trace that an outline is made of."""

Hex = Annotated[str, Field(pattern="^[0-9a-fA-F]{16,32}$")]

SPANS: Final = """
    SELECT span_id, parent_span_id, name, type, start_ns, duration_ns, status_code, status_message, project,
           metrics.tokens AS tokens
    FROM spans WHERE trace_id = $id ORDER BY start_ns, span_id LIMIT $most"""

ERRORS: Final = """
    SELECT count(*) AS n, name, max(start_time) AS last,
           regexp_replace(coalesce(error.message::VARCHAR, status_message, 'no message'),
                          '[0-9a-f]{8,}|[0-9]+', '#', 'g') AS message,
           arg_max(trace_id, start_ns) AS trace_id, arg_max(span_id, start_ns) AS span_id,
           arg_max(project, start_ns) AS project
    FROM spans WHERE status_code = 'ERROR' AND start_time >= now() - $since::INTERVAL
      AND ($like IS NULL OR coalesce(error.message::VARCHAR, status_message, '') ILIKE $like)
    GROUP BY name, message ORDER BY n DESC, name LIMIT $most"""

_SINCE: Final = re.compile(r"^\d{1,4} ?(m|h|d|w|minutes?|hours?|days?|weeks?)$")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Tools:
    """What an agent may do with a store.

    Args:
        api_of: gives the API for the caller of one request.
    """

    def __init__(self, api_of: Callable[[Context], Api]) -> None:
        self._api_of = api_of

    def reading(self) -> tuple[Callable[..., Any], ...]:
        """Returns the tools that change nothing."""
        looks = (self.get_trace, self.get_span, self.compare, self.find_similar_errors)
        return (self.query, self.schema, *looks)

    def writing(self) -> tuple[Callable[..., Any], ...]:
        """Returns the tools that store something."""
        return (self.feedback, self.add_to_dataset)

    async def query(
        self,
        ctx: Context,
        sql: Annotated[str, Field(min_length=1, max_length=50_000)],
        max_rows: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 50,
        max_cell: Annotated[int, Field(ge=20, le=4000)] = 300,
    ) -> str:
        """Answers one SELECT of DuckDB's SQL over spans, traces, logs, experiments and datasets.

        The resource docs://sql is the guide. Any JSON path is a column: attributes.http.status_code, metadata.model,
        input.messages[0].content.
        """
        async with self._api_of(ctx) as api:
            answer = await _told(api.sql(sql, max_rows=max_rows))
            names = [column["name"] for column in answer["columns"]]
            text, count, was_cut = table(names, answer["rows"], max_cell)
            notes = [f"{count} rows"] + [f"warning: {each}" for each in answer["warnings"]]
            if count < len(answer["rows"]):
                notes.append(
                    f"{len(answer['rows']) - count} rows left out: select less, or aggregate"
                )
            if was_cut:
                notes.append(
                    "cut cells end with …: raise max_cell, select a path inside, or get_span"
                )
            return _ended(text, notes, api.page(_project(answer), "ask", sql=sql[:2000]))

    async def schema(
        self,
        ctx: Context,
        table: Literal["spans", "logs"] = "spans",
        like: Annotated[str, Field(max_length=1000, description="Text that a path holds.")] = "",
        examples: Annotated[int, Field(ge=0, le=5, description="Values of each path.")] = 0,
        limit: Annotated[int, Field(ge=1, le=300)] = 80,
    ) -> str:
        """Lists the paths that rows have, with types and number of rows: look here before you write SQL."""
        async with self._api_of(ctx) as api:
            found = await _told(api.get("/api/schema", table=table))
            paths = [each for each in found["paths"] if like.lower() in each["path"].lower()]
            paths.sort(key=lambda each: (-sum(each["types"].values()), each["path"]))
            chosen = paths[:limit]
            lines = [
                f"{each['path']}  {', '.join(f'{t} {n}' for t, n in each['types'].items())}"
                for each in chosen
            ]
            if examples and chosen:
                values = await _examples(
                    api, table, [each["path"] for each in chosen[:40]], examples
                )
                lines = [
                    line + (f"  e.g. {cut(values[i], 160)}" if i < len(values) else "")
                    for i, line in enumerate(lines)
                ]
            columns = ", ".join(f"{each['name']} {each['type']}" for each in found["columns"])
            text = cut("\n".join([f"columns of {table}: {columns}", *lines]), MAX_ANSWER_CHARACTERS)
            notes = [f"{len(chosen)} of {found['total']} paths, those of most rows first"]
            if len(paths) > limit:
                notes.append(f"{len(paths) - limit} more match: narrow like=, or raise limit")
            return _ended(text, notes, api.page("default", "ask"))

    async def get_trace(
        self,
        ctx: Context,
        trace_id: Hex,
        depth: Annotated[int, Field(ge=1, le=64)] = 6,
        max_spans: Annotated[int, Field(ge=1, le=500)] = 100,
        only_errors: bool = False,
    ) -> str:
        """Shows a trace as an indented outline: names, durations, errors, tokens; payloads are left to get_span."""
        async with self._api_of(ctx) as api:
            wanted = {"id": trace_id.lower(), "most": TRACE_SPANS}
            spans = await _told(api.rows(SPANS, wanted))
            if not spans:
                raise ToolError(f"no trace {trace_id}; the table traces lists what there is")
            failed = [span for span in spans if span["status_code"] == "ERROR"]
            made = outline(failed if only_errors else spans, depth, max_spans)
            notes = [f"{len(spans)} spans, {len(failed)} with an error"]
            if made.hidden:
                notes.append(
                    f"{made.hidden} spans left out: raise depth or max_spans, set only_errors, or query spans "
                    f"WHERE trace_id = '{trace_id.lower()}'"
                )
            link = api.page(spans[0]["project"], "trace", trace_id.lower())
            return _ended("\n".join(made.lines), notes, link)

    async def get_span(
        self,
        ctx: Context,
        trace_id: Hex,
        span_id: Hex,
        fields: Annotated[
            list[str] | None,
            Field(max_length=40, description="Columns, e.g. input, error; default all."),
        ] = None,
        max_field: Annotated[int, Field(ge=100, le=20_000)] = 3000,
    ) -> str:
        """Shows one span with its payloads, field by field."""
        async with self._api_of(ctx) as api:
            ids = f"{trace_id.lower()}/spans/{span_id.lower()}"
            span = await _told(api.get(f"/api/traces/{ids}"))
            wanted = fields or [name for name, value in span.items() if value not in (None, {}, [])]
            unknown = [name for name in wanted if name not in span]
            lines = [
                f"{name}: {cut(shown(span[name]), max_field)}" for name in wanted if name in span
            ]
            notes = [f"unknown fields: {', '.join(unknown)}"] if unknown else []
            if any(len(shown(span.get(name))) > max_field for name in wanted):
                notes.append("cut fields end with …: raise max_field, or query a path inside")
            link = api.page(span["project"], "trace", span["trace_id"], span=span["span_id"])
            return _ended(cut("\n".join(lines), MAX_ANSWER_CHARACTERS), notes, link)

    async def compare(
        self,
        ctx: Context,
        experiments: Annotated[list[str], Field(min_length=2, max_length=5)],
        only: Literal["regressions", "improvements", "all"] = "regressions",
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
        project: str | None = None,
    ) -> str:
        """Compares experiments with the first of them: means of scores, then the cases that changed most."""
        async with self._api_of(ctx) as api:
            body = {"experiments": experiments, "project": project, "cases": 1000}
            found = await _told(api.post("/api/experiments/compare", body))
            lines = [
                f"{each['name']}: {each['cases']} cases, {each['errors']} errors, scores {shown(each['scores'])}"
                + (
                    f", against the first {shown(each['against_baseline'])}"
                    if each.get("against_baseline")
                    else ""
                )
                for each in found["experiments"]
            ]
            cases = [case for case in found["cases"] if _changed(case, only)]
            lines += [
                f"case {cut(shown(case['name']), 200)}: {_change(case)}" for case in cases[:limit]
            ]
            notes = [f"{len(cases)} cases in {only}"]
            if len(cases) > limit:
                notes.append(f"{len(cases) - limit} cases left out: raise limit")
            text = cut("\n".join(lines), MAX_ANSWER_CHARACTERS)
            return _ended(text, notes, api.page(project or "default", "experiments"))

    async def find_similar_errors(
        self,
        ctx: Context,
        since: Annotated[str, Field(pattern=_SINCE.pattern, max_length=20)] = "1d",
        like: Annotated[
            str | None, Field(max_length=500, description="Text of the message.")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> str:
        """Groups errors by span name and message, numbers and ids aside: what fails most, and one trace of each."""
        async with self._api_of(ctx) as api:
            amount, unit = re.fullmatch(r"(\d+) ?(.+)", since).groups()  # type: ignore[union-attr] # the pattern has matched
            values = {"since": f"{amount} {_UNITS.get(unit, unit)}", "most": limit}
            pattern = None if like is None else f"%{like}%"
            rows = await _told(api.rows(ERRORS, {**values, "like": pattern}))
            lines = [
                f"{row['n']} times {shown(row['name'])}: {cut(shown(row['message']), 300)} "
                f"(last {row['last']}, trace_id={row['trace_id']} span_id={row['span_id']})"
                for row in rows
            ]
            notes = [f"{len(rows)} kinds of errors in the last {since}"]
            if len(rows) == limit:
                notes.append("there may be more: raise limit, or narrow by like=")
            project = rows[0]["project"] if rows else "default"
            return _ended(
                cut("\n".join(lines), MAX_ANSWER_CHARACTERS), notes, api.page(project, "traces")
            )

    async def feedback(
        self,
        ctx: Context,
        trace_id: Hex,
        span_id: Hex,
        scores: dict[str, float | bool | None] | None = None,
        tags: list[str] | None = None,
        comment: str | None = None,
        expected: Any = None,
        project: str | None = None,
    ) -> str:
        """Scores, tags or comments a span, or says what it should have given; needs a key with the scope ingest."""
        async with self._api_of(ctx) as api:
            change = {"scores": scores, "tags": tags, "comment": comment, "expected": expected}
            given = {name: value for name, value in change.items() if value is not None}
            ids = {"trace_id": trace_id.lower(), "span_id": span_id.lower()}
            await _told(api.post("/api/patch", {"patches": [{**ids, **given}]}, project=project))
            link = api.page(project or "default", "trace", ids["trace_id"], span=ids["span_id"])
            return _ended(f"stored {', '.join(given)}", [], link)

    async def add_to_dataset(
        self,
        ctx: Context,
        sql: Annotated[str, Field(min_length=1, max_length=50_000)],
        name: Annotated[str, Field(min_length=1, max_length=200)],
        project: str | None = None,
    ) -> str:
        """Adds the rows of a SELECT to a dataset as one version; needs a key with the scopes ingest and read.

        Select trace_id, span_id, input, and output or expected (and metadata, tags); spans stay known as the origin.
        """
        async with self._api_of(ctx) as api:
            params = {"name": name, "project": project}
            report = await _told(api.post("/api/datasets/query", {"sql": sql}, **params))
            return _ended(shown(report), [], api.page(project or "default", "datasets"))


async def _told(asked: Any) -> Any:
    """Returns what a request gives; what the API refuses is told to the agent in the API's words."""
    try:
        return await asked
    except ApiError as error:
        raise ToolError(str(error)) from None


def _ended(text: str, notes: list[str], link: str) -> str:
    return "\n".join([text, "---", *notes, f"UI: {link}"])


def _project(answer: dict[str, Any]) -> str:
    """Returns the project that the first row names, if one does."""
    names = [column["name"] for column in answer["columns"]]
    if "project" in names and answer["rows"]:
        return str(answer["rows"][0][names.index("project")])
    return "default"


async def _examples(api: Api, table: str, paths: list[str], most: int) -> list[str]:
    found = await _told(api.get("/api/schema", table=table, examples=most))
    known = {each["path"]: each.get("examples", []) for each in found["paths"]}
    return [shown(known.get(path, [])) for path in paths]


def _changed(case: dict[str, Any], only: str) -> bool:
    differences = [
        value
        for run in case["experiments"].values()
        for value in (run.get("difference") or {}).values()
    ]
    if only == "all":
        return True
    return any(value < 0 if only == "regressions" else value > 0 for value in differences)


def _change(case: dict[str, Any]) -> str:
    return "; ".join(
        f"{name} {shown(run['scores'])} trace_id={run['trace_id']}"
        for name, run in case["experiments"].items()
    )
