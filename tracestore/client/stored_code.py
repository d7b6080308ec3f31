"""The stored scorers and tools of a server, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tracestore.errors import ClientError

if TYPE_CHECKING:
    import httpx


class StoredCodeClient:
    """The scorers or the tools of a server, by their names.

    Args:
        send: sends a request and checks its answer.
        path: of their routes.
    """

    def __init__(self, send: Callable[..., httpx.Response], path: str) -> None:
        self._send = send
        self._path = path

    def list(self, *, project: str | None = None) -> list[dict[str, Any]]:
        """Returns the newest versions."""
        listed: list[dict[str, Any]] = self._send("GET", self._path, params=_of(project)).json()
        return listed

    def get(
        self, name: str, *, project: str | None = None, version: int | None = None
    ) -> dict[str, Any]:
        """Returns one, by default its newest version."""
        query = _of(project) if version is None else {**_of(project), "version": version}
        return self._sent("GET", f"/{name}", params=query)

    def put(
        self, name: str, body: Mapping[str, Any], *, project: str | None = None
    ) -> dict[str, Any]:
        """Saves one, new or over the newest version; what is the same already stays as it is.

        Raises:
            ClientError: with status 422 for code that is not taken; `problem["errors"]` has the line.
        """
        try:
            known = self.get(name, project=project)
        except ClientError as error:
            if error.status != 404:
                raise
            given = {"name": name, "body": dict(body)}
            return self._sent("POST", "", params=_of(project), json=given)
        if all(known["body"].get(field) == value for field, value in body.items()):
            return known
        given = {"version": known["version"], "body": dict(body)}
        return self._sent("PUT", f"/{name}", params=_of(project), json=given)

    def delete(self, name: str, *, version: int, project: str | None = None) -> None:
        """Deletes one whose newest version was seen."""
        query = {**_of(project), "version": version}
        self._send("DELETE", f"{self._path}/{name}", params=query)

    def test(
        self, body: Mapping[str, Any], *, project: str | None = None, **given: Any
    ) -> dict[str, Any]:
        """Returns what one that may not be saved yet gives: for `input`, `output`, …, or for `arguments`."""
        asked = {"body": dict(body), **given}
        return self._sent("POST", "/test", params=_of(project), json=asked)

    def _sent(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        document: dict[str, Any] = self._send(method, self._path + path, **options).json()
        return document


class ScorerClient(StoredCodeClient):
    """The scorers of a server."""

    def __init__(self, send: Callable[..., httpx.Response]) -> None:
        super().__init__(send, "/api/scorers")

    def score(self, name: str, *, project: str | None = None, **case: Any) -> list[dict[str, Any]]:
        """Returns the scores of a case: its `input`, `output`, `expected` and `metadata`."""
        scored = self._sent("POST", f"/{name}/score", params=_of(project), json=case)
        scores: list[dict[str, Any]] = scored["scores"]
        return scores


def _of(project: str | None) -> dict[str, Any]:
    return {} if project is None else {"project": project}
