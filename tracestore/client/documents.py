"""Saved documents over HTTP: views, queries, boards and review queues, with versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


class DocumentClient:
    """The saved documents of a server.

    Args:
        send: sends a request and checks its answer.
    """

    def __init__(self, send: Callable[..., httpx.Response]) -> None:
        self._send = send

    def list(
        self, kind: str, *, project: str | None = None, bodies: bool = False
    ) -> list[dict[str, Any]]:
        """Returns the newest versions of the documents of a kind: `view`, `query`, `board` or `queue`."""
        query = {**_of(project), "bodies": bodies}
        documents: list[dict[str, Any]] = self._send(
            "GET", f"/api/documents/{kind}", params=query
        ).json()
        return documents

    def create(
        self, kind: str, name: str, body: Mapping[str, Any], *, project: str | None = None
    ) -> dict[str, Any]:
        """Saves a new document and returns it."""
        given = {"name": name, "body": dict(body)}
        return self._sent("POST", f"/api/documents/{kind}", params=_of(project), json=given)

    def get(
        self, kind: str, document_id: str, *, project: str | None = None, version: int | None = None
    ) -> dict[str, Any]:
        """Returns a document, by default its newest version."""
        query = _of(project) if version is None else {**_of(project), "version": version}
        return self._sent("GET", f"/api/documents/{kind}/{document_id}", params=query)

    def save(
        self,
        kind: str,
        document_id: str,
        body: Mapping[str, Any],
        *,
        version: int,
        name: str | None = None,
        project: str | None = None,
    ) -> dict[str, Any]:
        """Saves a new version; raises ClientError with status 409 where `version` is not the newest."""
        given = {"version": version, "name": name, "body": dict(body)}
        path = f"/api/documents/{kind}/{document_id}"
        return self._sent("PUT", path, params=_of(project), json=given)

    def versions(
        self, kind: str, document_id: str, *, project: str | None = None
    ) -> tuple[dict[str, Any], ...]:
        """Returns the versions that are kept of a document, newest first."""
        path = f"/api/documents/{kind}/{document_id}/versions"
        return tuple(self._send("GET", path, params=_of(project)).json())

    def delete(
        self, kind: str, document_id: str, *, version: int, project: str | None = None
    ) -> None:
        """Deletes a document whose newest version was seen."""
        query = {**_of(project), "version": version}
        self._send("DELETE", f"/api/documents/{kind}/{document_id}", params=query)

    def _sent(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        document: dict[str, Any] = self._send(method, path, **options).json()
        return document


def _of(project: str | None) -> dict[str, Any]:
    return {} if project is None else {"project": project}
