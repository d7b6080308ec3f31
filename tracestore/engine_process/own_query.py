"""Runs a statement of the server's own in the engine process, through the same door and bounds as everybody's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from tracestore.engine_process.door import EngineDoor


async def own_query(
    door: EngineDoor, asked: dict[str, Any], project: str, caller: str
) -> tuple[int, bytes]:
    """Returns the status and the body of the engine's answer to a query.

    Args:
        door: has it answered.
        asked: the body of a request to `/api/query`.
        project: whose rows it sees.
        caller: whose turns it takes.
    """
    given = [json.dumps(asked).encode()]
    status = 500
    parts: list[bytes] = []
    done = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if given:
            return {"type": "http.request", "body": given.pop(), "more_body": False}
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message["body"])

    scope: MutableMapping[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/api/query",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "state": {"projects": frozenset({project}), "caller": caller},
    }
    try:
        await door(scope, receive, send)
    finally:
        done.set()
    return status, b"".join(parts)
