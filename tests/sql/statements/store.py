"""A store that changes between statements, and plain tables that follow it."""

from __future__ import annotations

import datetime as dt
import json
import math
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

import tracestore
from data.stores import EVERY_ITEM, ndjson
from sql.statements import rows
from sql.statements.expression import Expression
from tracestore import Store

PLAIN_MEMORY = "2GB"
"""Memory of plain DuckDB: a statement that takes more joins hundreds of millions of rows."""


class ChangingStore:
    """A store and plain tables of the same rows.

    Attributes:
        columns: what statements may name in each table.
        chance: decides what is done to it, and what is asked.
        steps: what was done to it so far.
    """

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.store: Store = tracestore.open(
            folder, background=False, durability="async", **EVERY_ITEM
        )
        self.plain = duckdb.connect(config={"memory_limit": PLAIN_MEMORY})
        self.plain.execute("SET TimeZone = 'UTC'")
        self.plain.execute(rows.MACROS)
        self.columns: dict[str, list[Expression]] = {}
        self.steps: list[str] = []
        self.chance = chance
        self._rows: dict[str, list[dict[str, Any]]] = {"spans": [], "logs": []}

    def close(self) -> None:
        """Closes both."""
        self.store.close()
        self.plain.close()

    def step(self) -> None:
        """Changes the store, and the plain tables with it."""
        steps: list[Callable[[], None]] = [
            self.insert,
            self.insert,
            self.patch,
            self.flush,
            self.merge,
        ]
        chosen = self.chance.choice(steps) if self.steps else self.insert
        chosen()
        self.steps.append(chosen.__name__)
        self.columns = rows.fill(self.plain, self._rows)

    def insert(self) -> None:
        """Adds rows to both tables."""
        late = len(self._rows["spans"]) > 30
        for table, held in self._rows.items():
            count = self.chance.randint(3, 25 if table == "spans" else 10)
            new = [rows.new_row(self.chance, table, len(held) + i, late=late) for i in range(count)]
            held.extend(new)
            self.store.insert(table, ndjson(new))

    def patch(self) -> None:
        """Changes some spans late."""
        for row in self.chance.sample(self._rows["spans"], 2):
            score, word = self.chance.choice([0.25, 1, 2]), self.chance.choice(rows.WORDS)
            change: dict[str, Any] = {"scores": {"s": score}, "metadata": {"m": word}}
            ids = {key: row[key] for key in ("trace_id", "span_id")}
            self.store.patch(ids | change)
            for name, values in change.items():
                row[name] = row.get(name, {}) | values

    def flush(self) -> None:
        """Has rows in memory become a segment."""
        self.store.flush()

    def merge(self) -> None:
        """Has segments become one."""
        self.store.flush()
        self.store.compact(full=True)


def same_rows(got: list[list[Any]], want: list[list[Any]], *, ordered: bool) -> bool:
    """Tells whether rows are the same ones."""
    if not ordered:
        got, want = sorted(got, key=_key), sorted(want, key=_key)
    return len(got) == len(want) and all(map(_alike, got, want))


def comparable(value: Any) -> Any:
    """Returns a value with numbers of one type, so that it compares with what another engine gives."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float | int | Decimal):
        # Plus zero, since -0.0 is 0.
        return float(value) + 0.0
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    return value


def differing(got: list[Any], want: list[Any]) -> tuple[list[Any], list[Any]]:
    """Returns the rows that only one side has, both sides whole where there are none."""
    texts = [{str(row) for row in rows} for rows in (got, want)]
    only_got = [row for row in got if str(row) not in texts[1]]
    only_want = [row for row in want if str(row) not in texts[0]]
    return (only_got, only_want) if only_got or only_want else (got, want)


def _key(row: list[Any]) -> str:
    return json.dumps([_rounded(item) for item in row], sort_keys=True, default=str)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"number {value:.9g}"
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def _alike(got: Any, want: Any) -> bool:
    if isinstance(got, float) and isinstance(want, float):
        close = math.isclose(got, want, rel_tol=1e-9, abs_tol=1e-9)
        return got == want or close or (math.isnan(got) and math.isnan(want))
    if isinstance(got, list) and isinstance(want, list):
        return len(got) == len(want) and all(map(_alike, got, want))
    return type(got) is type(want) and bool(got == want)
