"""Whether systems give the same answer: the same rows in any order, times as seconds, doubles to nine digits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pyarrow as pa


def require_same(answers: Mapping[str, Any], name: str) -> None:
    """Raises where an answer differs from the first one's."""
    plain = {system: _plain(answer) for system, answer in answers.items()}
    first, *others = plain
    for system in others:
        if plain[system] != plain[first]:
            raise SystemExit(
                f"cannot compare {name}: {system} gives {plain[system][:3]}, {first} {plain[first][:3]}"
            )


def _plain(answer: Any) -> list[tuple[str, ...]]:
    table = answer if isinstance(answer, pa.Table) else _opened(answer)
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return sorted(tuple(map(_value, row)) for row in rows)


def _opened(answer: Any) -> pa.Table:
    """Returns the Arrow file that chdb gives as a table."""
    return pa.ipc.open_file(pa.BufferReader(answer.bytes())).read_all()


def _value(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return str(int(value.timestamp()))
    if isinstance(value, bytes):
        return value.decode()
    return f"{value:.9g}" if isinstance(value, float) else str(value)
