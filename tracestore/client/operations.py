"""The verbs of whoever runs a server, over HTTP: its state, retention, deletes and keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import httpx


class OperationsClient:
    """The state, retention, deletes and keys of a server; all but the state needs the scope `admin`.

    Args:
        send: sends a request and checks its answer.
    """

    def __init__(self, send: Callable[..., httpx.Response]) -> None:
        self._send = send

    def status(self) -> dict[str, Any]:
        """Returns what the server is and holds, in numbers."""
        return self._sent("GET", "/api/status")

    def set_retention(self, project: str, days: int | None) -> dict[str, Any]:
        """Sets after how many days a project's rows expire; None keeps them."""
        query = {"project": project}
        return self._sent("PUT", "/api/retention", params=query, json={"days": days})

    def delete(self, **selection: Any) -> dict[str, Any]:
        """Removes rows for good.

        Args:
            selection: `project`, and of its rows those of a `trace_id`, or those before `before_ns`.
        """
        return self._sent("POST", "/api/deletes", json=selection)

    def list_keys(self) -> list[dict[str, Any]]:
        """Returns every key without its secret, revoked ones too."""
        keys: list[dict[str, Any]] = self._send("GET", "/api/keys").json()
        return keys

    def create_key(
        self, name: str, scopes: Sequence[str], projects: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Makes a key; `text` of the answer is shown this once."""
        body = {"name": name, "scopes": list(scopes)}
        if projects is not None:
            body["projects"] = list(projects)
        return self._sent("POST", "/api/keys", json=body)

    def revoke_key(self, key_id: str) -> None:
        """Ends a key."""
        self._send("DELETE", f"/api/keys/{key_id}")

    def _sent(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._send(method, path, **options).json()
        return answer
