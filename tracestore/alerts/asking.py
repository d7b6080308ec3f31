"""Runs a statement of this server's own in the engine process, through the same door and bounds as everybody's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from tracestore.engine_process.door import EngineDoor
from tracestore.engine_process.own_query import own_query
from tracestore.errors import QueryError

CALLER: Final = "alerts"
"""Whose turns these statements take."""

PATIENCE_S: Final = 30.0
"""Seconds beyond a statement's own in which it may wait for its turn."""


def ask_engine(
    door: EngineDoor,
    loop: Callable[[], asyncio.AbstractEventLoop],
    sql: str,
    project: str,
    timeout_s: float,
) -> Any:
    """Returns the first value of a statement's first row, None where it has none.

    Args:
        door: has it answered.
        loop: gives the event loop of the server.
        sql: the statement.
        project: whose rows it sees.
        timeout_s: seconds that it may take.

    Raises:
        QueryError: where it cannot be answered.
    """
    asked = {"sql": sql, "max_rows": 1, "timeout_s": timeout_s}
    work = asyncio.run_coroutine_threadsafe(own_query(door, asked, project, CALLER), loop())
    try:
        status, body = work.result(timeout_s + PATIENCE_S)
    except TimeoutError:
        work.cancel()
        raise QueryError("cannot look: the statement waited too long for its turn") from None
    document = json.loads(body)
    if status != 200:
        raise QueryError(str(document.get("detail", status)))
    rows = document["rows"]
    return rows[0][0] if rows and rows[0] else None
