"""The API as the doors ask it: one request each, with the caller's own key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import httpx

from tracestore.errors import TraceStoreError

TIMEOUT_S: Final = 120.0


class ApiError(TraceStoreError):
    """A request that the API refused, with what it says to do about it."""


class Api:
    """The API of one server for one caller; a context manager.

    Args:
        http: sends requests to the server, or into its application.
        url: where a person reaches the server's pages.
    """

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def sql(
        self, sql: str, params: Any = None, *, max_rows: int | None = None
    ) -> dict[str, Any]:
        """Returns the document of one statement's answer."""
        body = {"sql": sql, "params": params, "max_rows": max_rows}
        found: dict[str, Any] = await self.post("/api/query", body)
        return found

    async def rows(self, sql: str, params: Any = None) -> list[dict[str, Any]]:
        """Returns the rows of one statement's answer."""
        answer = await self.sql(sql, params)
        names = [column["name"] for column in answer["columns"]]
        return [dict(zip(names, row, strict=True)) for row in answer["rows"]]

    async def get(self, path: str, **params: Any) -> Any:
        """Returns what a route gives."""
        return await self._sent("GET", path, params=_given(params))

    async def post(self, path: str, body: Any, **params: Any) -> Any:
        """Returns what a route gives for a body."""
        return await self._sent("POST", path, json=body, params=_given(params))

    def page(self, project: str, *parts: str, **params: str) -> str:
        """Returns the address of a page of the UI."""
        path = "/".join(quote(part, safe="") for part in (project, *parts))
        return f"{self._url}/p/{path}" + (f"?{urlencode(params)}" if params else "")

    async def _sent(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = await self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ApiError(f"cannot reach {self._url}: {error}; is a server there?") from None
        if answer.is_success:
            return answer.json()
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        detail = str(problem.get("detail") or f"the server answered {answer.status_code}")
        hint = problem.get("hint")
        raise ApiError(f"{detail}; {hint}" if hint else detail)


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
