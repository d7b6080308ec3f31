"""What many keys cost: functions of whole objects, and the first query of a store that was opened anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tracestore
from bench.fixed.measure import note
from bench.query.data import START_NS
from bench.query.measure import timed
from bench.report import Result

ROWS = 3_000
ROUNDS = 5
KEYS_OF_ROW = 5


def many_keys(folder: Path, keys: int) -> Iterator[Result]:
    """Yields the time of a function of objects that have so many keys together, for a thousand rows of them."""
    with tracestore.open(folder / "keys", background=False) as store:
        store.insert("spans", [_span(i, KEYS_OF_ROW, keys) for i in range(ROWS)])
        store.flush()
        for name, item in (
            ("json_keys(attributes)", "sum(len(json_keys(attributes)))"),
            ("attributes::VARCHAR", "sum(length(attributes::VARCHAR))"),
        ):
            sql = f"SELECT {item} AS n FROM spans"
            times = [timed(lambda sql=sql: store.sql(sql).arrow()) for _ in range(ROUNDS + 1)]  # type: ignore[misc]
            each = [milliseconds * 1000 / ROWS for milliseconds in times[1:]]
            yield note(f"objects of {keys:,} keys", f"{name}, 1,000 rows", each, "ms")


def opened_anew(folder: Path, keys: int) -> Iterator[Result]:
    """Yields the time of the first query that asks for a path of many, less that of one that asks for none."""
    place = folder / "cold"
    with tracestore.open(place, background=False) as store:
        count = keys // KEYS_OF_ROW
        store.insert("spans", [_span(i, KEYS_OF_ROW, keys) for i in range(count)])
        store.flush()
    times = []
    for _ in range(ROUNDS):
        with tracestore.open(place, background=False) as store:
            # The engine lists its functions for the first text that calls one.
            store.sql("SELECT count(*) AS n FROM range(1)").arrow()
            sql = "SELECT count(*) AS n FROM spans WHERE attributes.common >= 0"
            times.append(timed(lambda: store.sql(sql).arrow()))  # noqa: B023 - called at once
    yield note(f"{keys:,} paths", "the first query, opened anew", times, "ms")


def _span(number: int, count: int, keys: int) -> dict[str, object]:
    own = {f"key{(number * count + i) % keys}": i for i in range(count)}
    return {
        "trace_id": f"{number // 4 + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "name": "n",
        "start_ns": START_NS + number * 1_000_000,
        "attributes": {"common": number, **own},
    }
