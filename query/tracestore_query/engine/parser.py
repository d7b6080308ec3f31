"""The engine's own parser: the tree of a text as it will be run."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import duckdb

from tracestore_query.errors import QueryForbiddenError

SERIALIZE: Final = (
    "SELECT json_serialize_sql({text}, skip_null := true, skip_empty := true, skip_default := true)"
)
_PREPARE: Final = f"PREPARE tree AS {SERIALIZE.format(text='decode(from_base64($1::VARCHAR))')}"


class Parser:
    """The engine's parser. Thread-safe.

    A statement is prepared once a cursor: to bind it anew would cost three times what parsing does.

    Args:
        cursor: gives a cursor of the engine that runs the texts.
    """

    def __init__(self, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._cursor = cursor
        self._idle: deque[duckdb.DuckDBPyConnection] = deque()

    def tree(self, text: str) -> Any:
        """Returns the tree that the engine makes of a text, as JSON.

        Raises:
            QueryForbiddenError: where it is nested too deeply to be read.
        """
        # In base 64 no text can end the literal that it stands in.
        encoded = base64.b64encode(text.encode()).decode("ascii")
        try:
            row = self._run(encoded)
        except duckdb.Error:
            # The cursors may be of an instance that was lost: a new one tells.
            self.close()
            row = self._run(encoded)
        try:
            return json.loads(row[0] if row else "{}")
        except RecursionError:
            raise QueryForbiddenError("cannot run query: nested too deeply") from None

    def _run(self, encoded: str) -> tuple[Any, ...] | None:
        cursor = self._prepared()
        try:
            row: tuple[Any, ...] | None = cursor.execute(f"EXECUTE tree('{encoded}')").fetchone()
        except BaseException:
            cursor.close()
            raise
        self._idle.append(cursor)
        return row

    def close(self) -> None:
        """Closes the cursors that no call uses."""
        while self._idle:
            self._idle.pop().close()

    def _prepared(self) -> duckdb.DuckDBPyConnection:
        try:
            return self._idle.pop()
        except IndexError:
            cursor = self._cursor()
            cursor.execute(_PREPARE)
            return cursor
