"""Statements that are prepared, and those that run: what the server keeps of a client between its calls."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import io
import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from tracestore.doors.flight.messages import UnreadableError

MAX_PREPARED: Final = 1000
"""Prepared statements that are kept; of more, those that were not used for the longest time go."""

MAX_PREPARED_BYTES: Final = 64 * 1024 * 1024
"""The same, by the bytes of their texts and parameters."""

HANDLE_BYTES: Final = 16

_PIECE: Final = re.compile(
    r"""'[^']*(?:''[^']*)*(?:'|\Z)|"[^"]*(?:""[^"]*)*(?:"|\Z)|--[^\n]*|/\*.*?(?:\*/|\Z)"""
    r"""|(?P<place>\?)|\$(?P<name>\w+)""",
    re.DOTALL,
)
"""What a parameter may stand in that is none: texts, names and comments; and parameters. What has no end ends with the
text, so that no place is looked at twice."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared statement.

    Attributes:
        owner: the caller who prepared it; to others it is not there.
        query: its text.
        parameters: JSON of the values of its parameters, empty until they are bound.
    """

    owner: str
    query: str
    parameters: bytes = b""

    @property
    def size(self) -> int:
        """Returns its bytes."""
        return len(self.query) + len(self.parameters)


class PreparedStatements:
    """The prepared statements of all callers, within bounds. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Prepared] = OrderedDict()
        self._bytes = 0

    def add(self, owner: str, query: str) -> bytes:
        """Keeps a statement; returns its handle."""
        handle = secrets.token_bytes(HANDLE_BYTES)
        with self._lock:
            self._put(handle, Prepared(owner, query))
        return handle

    def get(self, owner: str, handle: bytes) -> Prepared:
        """Returns a statement.

        Raises:
            UnreadableError: where this caller has no such statement.
        """
        with self._lock:
            found = self._kept.get(handle)
            if found is None or found.owner != owner:
                raise UnreadableError("cannot find the prepared statement; prepare it again")
            self._kept.move_to_end(handle)
            return found

    def bind(self, owner: str, handle: bytes, parameters: bytes) -> None:
        """Keeps the values of a statement's parameters."""
        found = self.get(owner, handle)
        with self._lock:
            self._drop(handle)
            self._put(handle, replace(found, parameters=parameters))

    def close(self, owner: str, handle: bytes) -> None:
        """Forgets a statement."""
        with self._lock:
            found = self._kept.get(handle)
            if found is not None and found.owner == owner:
                self._drop(handle)

    def _put(self, handle: bytes, statement: Prepared) -> None:
        self._kept[handle] = statement
        self._bytes += statement.size
        while len(self._kept) > MAX_PREPARED or self._bytes > MAX_PREPARED_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, handle: bytes) -> None:
        found = self._kept.pop(handle, None)
        self._bytes -= found.size if found is not None else 0


class RunningStatements:
    """The statements whose answers are under way, for those who cancel them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[str, bytes], Callable[[], None]] = {}

    @contextmanager
    def running(self, owner: str, number: bytes, end: Callable[[], None]) -> Iterator[None]:
        """Has a statement be cancelled inside."""
        with self._lock:
            self._running[owner, number] = end
        try:
            yield
        finally:
            with self._lock:
                self._running.pop((owner, number), None)

    def cancel(self, owner: str, number: bytes) -> bool:
        """Ends a statement of this caller; tells whether it ran."""
        with self._lock:
            end = self._running.get((owner, number))
        if end is not None:
            end()
        return end is not None


def placeholders(query: str) -> list[str]:
    """Returns the parameters of a text as far as a look at it tells: names each once, places as `1`, `2` and so on."""
    found: dict[str, None] = {}
    for piece in _PIECE.finditer(query):
        if piece["place"]:
            found[str(len(found) + 1)] = None
        elif piece["name"]:
            found[piece["name"]] = None
    return list(found)


def parameters_of(stream: bytes, query: str) -> bytes:
    """Returns the JSON of the parameters that an Arrow stream of one row holds.

    They have names where the text names all of its columns as `$name`, else places.

    Raises:
        UnreadableError: where it holds no row, several, or values that JSON cannot say.
    """
    try:
        with pa.ipc.open_stream(io.BytesIO(stream)) as reader:
            table = reader.read_all()
    except (pa.ArrowException, OSError):
        raise UnreadableError("cannot read parameters: they are no Arrow stream") from None
    if table.num_rows != 1:
        raise UnreadableError(
            f"cannot bind parameters: they have {table.num_rows} rows; a statement that reads takes one"
        )
    [row] = [dict(enumerate(column[0].as_py() for column in table.columns))]
    values = [_plain(value) for value in row.values()]
    if table.column_names and all(f"${name}" in query for name in table.column_names):
        named = dict(zip(table.column_names, values, strict=True))
        return json.dumps(named).encode()
    return json.dumps(values).encode()


def _plain(value: Any) -> Any:
    """Returns a value as JSON says it: times as ISO 8601, decimals as numbers, bytes as base64."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return write(value)
    return value


def _number(value: decimal.Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


_WRITERS: Final[dict[type, Callable[[Any], Any]]] = {
    dt.datetime: dt.datetime.isoformat,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: lambda length: f"{length.total_seconds()} seconds",
    decimal.Decimal: _number,
    bytes: lambda data: base64.b64encode(data).decode(),
}
