"""Cursors: a place in an ordered answer as a text that a client hands back. It belongs to no snapshot."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from tracestore_query.errors import QueryCursorError

_VERSION: Final = 2
_TIE: Final = re.compile(r"[0-9a-f]{0,64}")
_FIRST: Final = re.compile(r"[-+0-9:. ]{1,40}")
_MAX_ROWS: Final = 2**53
"""Rows that a cursor may say were read: a number that JSON holds exactly."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place behind a row of an ordered answer.

    Attributes:
        key: the row's sort keys, in the engine's form whose bytes have their order.
        tie: digest of what tells it apart from rows with equal keys.
        alike: rows that were read and have the same key and tie, itself among them.
        first: its first sort key as text, where that is the time of a row.
        rows: rows that were read so far.
        moment: what `now()` was for the first page, None where the query does not ask.
    """

    key: bytes
    tie: str
    alike: int
    first: str | None
    rows: int
    moment: str | None

    def cursor(self, digest: str) -> str:
        """Returns the position as a cursor of the query of a digest."""
        held = {
            "v": _VERSION,
            "q": digest,
            "k": base64.b64encode(self.key).decode(),
            "t": self.tie,
            "a": self.alike,
            "f": self.first,
            "n": self.rows,
            "m": self.moment,
        }
        return base64.urlsafe_b64encode(json.dumps(held, separators=(",", ":")).encode()).decode()


def read_cursor(cursor: str, digest: str) -> Position:
    """Returns the position that a cursor names.

    Raises:
        QueryCursorError: where the text is no cursor, or one of another query.
    """
    try:
        held: Any = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        version, query = held["v"], held["q"]
        key = base64.b64decode(held["k"], validate=True)
        position = Position(key, *(held[name] for name in "tafnm"))
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise _bad() from None
    if version != _VERSION or not _is_right(position):
        raise _bad()
    if query != digest:
        raise QueryCursorError("cannot page query: the cursor is of another query or parameters")
    return position


def _is_right(position: Position) -> bool:
    numbers = (position.alike, position.rows)
    if not all(type(number) is int and 0 <= number <= _MAX_ROWS for number in numbers):
        return False
    texts: list[tuple[Any, re.Pattern[str]]]
    texts = [(position.tie, _TIE), (position.first or "0", _FIRST)]
    if not all(isinstance(text, str) and form.fullmatch(text) for text, form in texts):
        return False
    try:
        return (
            position.moment is None or dt.datetime.fromisoformat(position.moment).tzinfo is not None
        )
    except (ValueError, TypeError):
        return False


def _bad() -> QueryCursorError:
    return QueryCursorError("cannot page query: this is no cursor of ours; start with an empty one")
