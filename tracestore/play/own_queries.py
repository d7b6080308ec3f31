"""Statements that Play asks itself, in the engine process where there is one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tracestore.embedded import Store
from tracestore.engine_process.door import EngineDoor
from tracestore.engine_process.own_query import own_query
from tracestore.errors import QueryError

CALLER: Final = "play"
"""Whose turns these statements take."""

TIMEOUT_S: Final = 60.0

Row = dict[str, Any]


class OwnQueries:
    """The way to rows of the store, on the server's event loop.

    Args:
        store: answers where there is no engine process.
        door: gives the engine's door, None where there is none.
    """

    def __init__(self, store: Store, door: Callable[[], EngineDoor | None]) -> None:
        self._store = store
        self._door = door

    async def rows(
        self, sql: str, params: Mapping[str, Any] | None, project: str, max_rows: int
    ) -> list[Row]:
        """Returns the rows of a statement that sees one project, by their columns' names.

        Raises:
            QueryError: where it cannot be answered.
        """
        door = self._door()
        given = None if params is None else dict(params)
        if door is None:
            return await asyncio.to_thread(self._here, sql, given, project, max_rows)
        asked = {"sql": sql, "params": given, "max_rows": max_rows, "timeout_s": TIMEOUT_S}
        status, body = await own_query(door, asked, project, CALLER)
        document = json.loads(body)
        if status != 200:
            hint = f"; {document['hint']}" if document.get("hint") else ""
            raise QueryError(f"{document.get('detail', status)}{hint}")
        names = [column["name"] for column in document["columns"]]
        return [dict(zip(names, row, strict=True)) for row in document["rows"]]

    def _here(self, sql: str, params: Any, project: str, max_rows: int) -> list[Row]:
        answer = self._store.sql(
            sql, params, projects=frozenset({project}), timeout_s=TIMEOUT_S, max_rows=max_rows
        )
        return answer.rows()
