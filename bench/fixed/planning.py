"""What planning costs, of texts that were not asked before: parsing, binding, and the engine's own check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tracestore
from bench.fixed.measure import cpu_ms, note
from bench.query import boards, data
from bench.query.measure import timed
from bench.query.shapes import GROUP, SMALL_SEGMENT_ROWS, small_batches
from bench.report import Result
from tracestore import Store

WARM = 5
"""Texts that are asked before any is measured: what the engine says of functions is remembered."""

NAMES = 14
TAIL_SHARE = 3 / 4


def planned(store: Store, *texts: str) -> float:
    """Returns the milliseconds of processor time that planning texts takes; no row of their answers is read."""

    def plan() -> None:
        for sql in texts:
            store.sql(sql, timeout_s=None).close()

    return cpu_ms(plan)


def segments(folder: Path, count: int, rounds: int) -> Iterator[Result]:
    """Yields the time of texts over many segments, all of them read or one."""
    with tracestore.open(folder / "segments", background=False, durability="async") as store:
        for number, batch in enumerate(small_batches(count)):
            store.insert("spans", batch)
            store.flush()
            if number + 1 >= count:
                break
        last = data.START_NS + (count - 1) * SMALL_SEGMENT_ROWS * 1_000_000
        for name, where in (("all times", ""), ("one segment", f"WHERE start_ns >= {last}")):
            texts = [
                GROUP.replace(" AS n", f" AS n{number}").replace(" GROUP", f" {where} GROUP")
                for number in range(WARM + rounds)
            ]
            answers = [store.sql(sql) for sql in texts]
            times = [answer.stats.planning_ms for answer in answers]
            for answer in answers:
                answer.close()
            yield note(f"{count} segments", f"planning, {name}", times[WARM:], "ms")


def names(folder: Path, rounds: int) -> Iterator[Result]:
    """Yields the time of a path of many names behind dots, each of which may be part of a key."""
    value: object = 1
    for number in reversed(range(NAMES)):
        value = {f"n{number}": value}
    with tracestore.open(folder / "names", background=False) as store:
        store.insert("spans", [{"name": "n", "attributes": value}])
        store.flush()
        path = ".".join(f"n{number}" for number in range(NAMES))
        condition = f"SELECT count(*) AS n FROM spans WHERE attributes.{path} >"
        times = [planned(store, f"{condition} {number}") for number in range(WARM + rounds)]
        yield note(f"a path of {NAMES} names", "a new text", times[WARM:], "ms")


def tiles(folder: Path, rounds: int) -> Iterator[Result]:
    """Yields the time of the tiles of a board, of which no text was asked before."""
    with tracestore.open(folder / "tiles", background=False) as store:
        for batch in boards.batches(0, 1_000):
            store.insert("spans", batch)
        store.flush()
        times = [
            planned(store, *(sql + " " * number for sql in boards.BOARD))
            for number in range(WARM + rounds)
        ]
        each = [milliseconds / len(boards.BOARD) for milliseconds in times[WARM:]]
        yield note("a board of 12 groupings", "a tile, a new text", each, "ms")


def paths(folder: Path, count: int) -> Iterator[Result]:
    """Yields what a path costs in a text of many, and that of what it costs in one of a fourth as many."""
    rows = [{"name": f"n{i}", "attributes": {f"k{j}": j for j in range(count)}} for i in range(2)]
    with tracestore.open(folder / "paths", background=False) as store:
        store.insert("spans", rows)
        store.flush()
        few, many = (
            min(planned(store, _of_paths(n, i)) / n for i in range(4)) for n in (count // 4, count)
        )
        yield note(f"{count:,} paths", "a path, a new text", [many * 1e3], "us")
        yield note(f"{count:,} paths", "a path, of a fourth as many", [many / few], "x")


def tail_paths(folder: Path, count: int) -> Iterator[Result]:
    """Yields the time of a whole query of many paths, most of which lie in a tail."""
    dense, rare = int(count * (1 - TAIL_SHARE)), int(count * TAIL_SHARE)
    rows = [
        {
            "name": "n",
            "start_ns": data.START_NS + i,
            "attributes": {f"k{j}": i for j in range(dense)} | {f"k{dense + i * 2}": i, f"k{dense + i * 2 + 1}": i},
        }
        for i in range(rare // 2)
    ]  # fmt: skip
    with tracestore.open(folder / "tails", background=False) as store:
        store.insert("spans", rows)
        store.flush()
        texts = [_of_paths(count, number) for number in range(3)]
        cpu = [cpu_ms(lambda sql=sql: store.sql(sql, timeout_s=None).arrow()) for sql in texts]  # type: ignore[misc]
        wall = timed(lambda: store.sql(_of_paths(count, 9), timeout_s=None).arrow())
        workload = f"{count:,} paths, {rare:,} of a tail"
        yield note(workload, "the whole query, CPU", [each / 1e3 for each in cpu], "s")
        yield note(workload, "the whole query", [wall / 1e3], "s")


def _of_paths(count: int, number: int) -> str:
    listed = ", ".join(f"attributes.k{path} AS c{number}_{path}" for path in range(count))
    return f"SELECT {listed} FROM spans"
