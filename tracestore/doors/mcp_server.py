"""The MCP server: its tools, the guide of SQL, two prompts; over HTTP inside of a server, and over stdio."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

import httpx
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.server.mcpserver.resources import FunctionResource
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import ToolAnnotations

import tracestore
from tracestore.doors.api import TIMEOUT_S, Api
from tracestore.doors.mcp_tools import Tools

GUIDE: Final = Path(__file__).with_name("sql.md")

INSTRUCTIONS: Final = """\
tracestore holds traces of applications, logs, datasets and experiments of evals. Every JSON path is a typed column.
Begin with schema, then ask with query (DuckDB's SQL; the resource docs://sql is the guide). Look at a trace by
get_trace, at payloads by get_span. Every answer says what it leaves out and how to get it."""

MAX_REQUEST_BYTES: Final = 256 * 1024

_FORWARDED: Final = ("authorization", "x-api-key", "host")
"""Headers of a caller that go with its requests to the API: who asks, and by which name."""


def make_server(api_of: Callable[[Context], Api]) -> MCPServer[Any]:
    """Returns the server; `api_of` gives the API for the caller of one request."""
    server: MCPServer[Any] = MCPServer(
        "tracestore", instructions=INSTRUCTIONS, version=tracestore.__version__, log_level="WARNING"
    )
    tools = Tools(api_of)
    for tool in tools.reading():
        reads = ToolAnnotations(read_only_hint=True)
        server.add_tool(tool, annotations=reads, structured_output=False)
    for tool in tools.writing():
        writes = ToolAnnotations(read_only_hint=False, destructive_hint=False)
        server.add_tool(tool, annotations=writes, structured_output=False)
    server.add_resource(
        FunctionResource(
            uri="docs://sql",
            name="sql",
            description="The guide of the SQL that query takes: tables, paths, types, functions.",
            mime_type="text/markdown",
            fn=lambda: GUIDE.read_text("utf-8"),
        )
    )
    for prompt in (why_did_this_trace_fail, what_regressed):
        server.add_prompt(Prompt.from_function(prompt))
    return server


def why_did_this_trace_fail(trace_id: str) -> str:
    """Finds the cause of a failed trace."""
    return (
        f"Find out why trace {trace_id} failed. Call get_trace with only_errors, then without. The deepest span with "
        "an error is where to begin: read its error, input and events by get_span. Tell the cause from what only "
        "passed it on. Use find_similar_errors to say how often this happens and since when, and compare with a trace "
        "of the same name that did not fail. End with the cause, the evidence (span ids) and what to change."
    )


def what_regressed(experiment: str, base: str) -> str:
    """Explains what became worse from one experiment to another."""
    return (
        f"Explain what regressed from experiment {base} to {experiment}. Call compare with [{base!r}, {experiment!r}]. "
        "For the cases that fell most, read both traces (get_trace, get_span: input, output, expected, metadata). Look "
        "for what they share: a topic, a length, a tool, an error. Check it by query over experiment(...) with GROUP "
        "BY. Say also what improved, and whether cost or duration changed."
    )


class HttpDoor:
    """The server over streamable HTTP, without sessions: each request stands alone and is asked with its own key.

    Attributes:
        app: the application that answers the API; set once it is made.
    """

    def __init__(self) -> None:
        self.app: Any = None
        self._server = make_server(self._api_of)

    async def handle(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answers one request."""
        manager = StreamableHTTPSessionManager(
            self._server._lowlevel_server,  # noqa: SLF001 - its own application would bring routes and a life of its own
            json_response=True,
            stateless=True,
            max_request_body_size=MAX_REQUEST_BYTES,
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    def _api_of(self, ctx: Context) -> Api:
        headers = ctx.headers or {}
        own = {name: headers[name] for name in _FORWARDED if name in headers}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        url = f"http://{own.get('host', 'localhost')}"
        return Api(
            httpx.AsyncClient(transport=transport, base_url=url, headers=own, timeout=TIMEOUT_S),
            url,
        )


def run_stdio(url: str, key: str | None) -> None:
    """Serves one program over standard input and output, with a server's API behind; returns when it goes away."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    def api_of(_: Context) -> Api:
        return Api(httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S), url)

    make_server(api_of).run("stdio")
