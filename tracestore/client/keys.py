"""The API keys of a server, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


class KeyClient:
    """The API keys of a server; the caller's own needs the scope `admin`.

    Args:
        send: sends a request and checks its answer.
    """

    def __init__(self, send: Callable[..., httpx.Response]) -> None:
        self._send = send

    def list(self) -> list[dict[str, Any]]:
        """Returns every key without its secret, revoked ones too."""
        keys: list[dict[str, Any]] = self._send("GET", "/api/keys").json()
        return keys

    def create(
        self, name: str, scopes: Sequence[str], projects: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Makes a key; `text` of the answer is shown this once."""
        body = {"name": name, "scopes": list(scopes)}
        if projects is not None:
            body["projects"] = list(projects)
        made: dict[str, Any] = self._send("POST", "/api/keys", json=body).json()
        return made

    def revoke(self, key_id: str) -> None:
        """Ends a key."""
        self._send("DELETE", f"/api/keys/{key_id}")
