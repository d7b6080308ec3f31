"""The route of MCP, where its package is installed: `/mcp`."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tracestore.scopes import needs
from tracestore.serving.problems import problem_answer

MCP_PATH: Final = "/mcp"


class McpRoute:
    """The route, and the application behind it that answers what its tools ask.

    Attributes:
        app: the application of the API; set once it is made.
        router: the route.
    """

    def __init__(self) -> None:
        self.app: Any = None
        self._door: Any = None
        self.router = APIRouter()

        @self.router.api_route(MCP_PATH, methods=["GET", "POST", "DELETE"], include_in_schema=False)
        @needs("read")
        async def mcp(_: Request) -> Response:
            """Answers a request of the Model Context Protocol."""
            if self._door is None and not self._open():
                detail = "this server has no MCP: its package is not installed"
                hint = "pip install 'tracestore[mcp]'"
                return problem_answer(501, "Not installed", detail, hint=hint)
            return _Passed(self._door)

    def _open(self) -> bool:
        try:
            # An optional extra, which takes a second to load.
            from tracestore.doors.mcp_server import HttpDoor  # noqa: PLC0415
        except ImportError:
            return False
        self._door = HttpDoor()
        self._door.app = self.app
        return True


class _Passed(Response):
    """An answer that is another application's."""

    def __init__(self, door: Any) -> None:
        super().__init__()
        self._door = door

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await self._door.handle(scope, receive, send)
