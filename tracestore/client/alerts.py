"""Alerts over HTTP: statements that a server looks at, with a condition, and where it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


class AlertClient:
    """The alerts of a server; changing them needs the scope `admin`.

    Args:
        send: sends a request and checks its answer.
    """

    def __init__(self, send: Callable[..., httpx.Response]) -> None:
        self._send = send

    def list(self, *, project: str | None = None) -> list[dict[str, Any]]:
        """Returns alerts with their states."""
        alerts: list[dict[str, Any]] = self._send("GET", "/api/alerts", params=_of(project)).json()
        return alerts

    def create(
        self, name: str, rule: Mapping[str, Any], *, project: str | None = None
    ) -> dict[str, Any]:
        """Saves a new alert.

        Args:
            name: what it is called.
            rule: `sql`, whose first row's first column is compared by `op` with `threshold`; `every_s`, `for_s`,
                `enabled`, and `webhook` (`url`, `format`, `secret`).
            project: whose rows it sees.
        """
        body = {"name": name, "rule": dict(rule)}
        return self._sent("POST", "/api/alerts", params=_of(project), json=body)

    def save(
        self,
        document_id: str,
        name: str,
        rule: Mapping[str, Any],
        *,
        version: int,
        project: str | None = None,
    ) -> dict[str, Any]:
        """Saves a new version of an alert; raises ClientError with status 409 where `version` is not the newest."""
        body = {"version": version, "name": name, "rule": dict(rule)}
        return self._sent("PUT", f"/api/alerts/{document_id}", params=_of(project), json=body)

    def delete(self, document_id: str, *, version: int, project: str | None = None) -> None:
        """Deletes an alert with its history."""
        query = {**_of(project), "version": version}
        self._send("DELETE", f"/api/alerts/{document_id}", params=query)

    def events(
        self, document_id: str, *, project: str | None = None, limit: int = 100
    ) -> tuple[dict[str, Any], ...]:
        """Returns what was told of an alert, newest first, and what became of sending it."""
        query = {**_of(project), "limit": limit}
        return tuple(self._send("GET", f"/api/alerts/{document_id}/events", params=query).json())

    def test(self, document_id: str, *, project: str | None = None) -> dict[str, Any]:
        """Sends a test to an alert's webhook."""
        return self._sent("POST", f"/api/alerts/{document_id}/test", params=_of(project))

    def _sent(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._send(method, path, **options).json()
        return answer


def _of(project: str | None) -> dict[str, Any]:
    return {} if project is None else {"project": project}
