"""What the shape of other data costs a query: rare keys, an odd row, rows outside of the time range, many segments."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import tracestore
from bench.query import data
from bench.query.measure import OURS, note, stored, timed
from bench.report import Result, interleaved
from tracestore import Store

GROUP = "SELECT attributes.gen_ai.request.model AS m, count(*) AS n FROM spans GROUP BY 1"
SUM = (
    "SELECT attributes.gen_ai.request.model AS m, sum(attributes.gen_ai.usage.input_tokens) AS t "
    "FROM spans GROUP BY 1"
)
RARE_KEYS = 10_000
SMALL_SEGMENT_ROWS = 200


def tail_path(folder: Path, rows: int) -> list[Result]:
    """Returns the time of a filter on a rare path, of 200,000."""
    results = []
    with stored(folder / "rare", data.batches(rows, rare_keys=data.RARE_KEYS)) as store:
        for number in (11, 4711, 150_000):
            # A value of its own each time: the answer of a kept plan would be too easy.
            texts = [
                f"SELECT count(*) AS n FROM spans WHERE attributes.rare.key{number} > {low}"
                for low in range(12)
            ]
            times = [timed(lambda sql=sql: store.sql(sql).arrow()) for sql in texts]  # type: ignore[misc]
            workload = f"{rows:,} spans, {data.RARE_KEYS:,} rare keys"
            results.append(
                note(workload, f"filter on tail path key{number}", OURS, times[1:], "ms")
            )
    return results


def rare_keys(folder: Path, rows: int, rounds: int) -> list[Result]:
    """Returns what 10,000 rare keys cost ingest and queries on other paths."""
    kinds = {"without": None, "with": RARE_KEYS}
    batches = {name: list(data.batches(rows, rare_keys=keys)) for name, keys in kinds.items()}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(3):
        for name in kinds:
            start = time.perf_counter()
            with tracestore.open(folder / f"{name}{number}", background=False) as store:
                for batch in batches[name]:
                    store.insert("spans", batch)
                store.flush()
            seconds[name].append(time.perf_counter() - start)
    workload = f"{rows:,} spans, {RARE_KEYS:,} rare keys"
    ratios = [a / b for a, b in zip(seconds["without"], seconds["with"], strict=True)]
    results = [note(workload, "spans a second, of those without", OURS, ratios, "x")]
    stores = {name: stored(folder / f"{name}-main", batches[name]) for name in kinds}
    for text, sql in (("group", GROUP), ("group and sum", SUM)):
        found = _compared(stores, sql, rounds)
        results.append(note(workload, f"{text}, of the time without", OURS, found, "x"))
    for store in stores.values():
        store.close()
    return results


def odd_row(folder: Path, rows: int, rounds: int) -> list[Result]:
    """Returns what one row of another type costs queries on other paths: bytes read, and time."""
    plain = list(data.batches(rows))
    odd = json.loads(plain[0].split(b"\n")[0])
    odd["span_id"] = "f" * 16
    odd["attributes"]["gen_ai.usage.output_tokens"] = "many"
    odd["attributes"]["user.id"] = {"first": 7}
    stores = {
        "without": stored(folder / "plain", plain),
        "with": stored(folder / "odd", [*plain, json.dumps(odd).encode()]),
    }
    read = {name: _bytes_read(store, SUM) for name, store in stores.items()}
    workload = f"{rows:,} spans, one of them odd"
    results = [
        note(workload, "bytes read by others", OURS, [read["with"] / read["without"]], "x"),
        note(workload, "time of others", OURS, _compared(stores, SUM, rounds), "x"),
    ]
    for store in stores.values():
        store.close()
    return results


def outside(folder: Path, rows: int, rounds: int) -> list[Result]:
    """Returns what ten times more rows outside of the time range cost a query."""
    span_ns = rows * 1_000_000
    stores = {
        "without": stored(folder / "inside", data.batches(rows)),
        "with": stored(folder / "more", data.batches(rows)),
    }
    for number in range(1, 11):
        # Days apart: data of other days, as it grows.
        shift = number * max(span_ns, 86_400_000_000_000)
        for batch in data.batches(rows, shift_ns=-shift):
            stores["with"].insert("spans", batch)
        stores["with"].flush()
    stores["with"].compact()
    workload = f"{rows:,} spans in the time range, ten times more outside"
    low = data.START_NS
    results = []
    for text, sql in (("group", GROUP), ("group and sum", SUM)):
        ranged = sql.replace(" GROUP", f" WHERE start_ns >= {low} GROUP")
        found = _compared(stores, ranged, rounds)
        results.append(note(workload, f"{text}, of the time without", OURS, found, "x"))
    for store in stores.values():
        store.close()
    return results


def many_segments(folder: Path, segments: int) -> list[Result]:
    """Returns the time to plan over many segments, of texts not asked before."""
    with tracestore.open(folder / "segments", background=False, durability="async") as store:
        for number, batch in enumerate(small_batches(segments)):
            store.insert("spans", batch)
            store.flush()
            if number + 1 >= segments:
                break
        last = data.START_NS + (segments - 1) * SMALL_SEGMENT_ROWS * 1_000_000
        results = []
        for name, where in (("all times", ""), ("one segment", f"WHERE start_ns >= {last}")):
            plans = []
            for number in range(14):
                sql = GROUP.replace(" AS n", f" AS n{number}").replace(" GROUP", f" {where} GROUP")
                result = store.sql(sql)
                result.arrow()
                plans.append(result.stats.planning_ms)
            results.append(note(f"{segments} segments", f"planning, {name}", OURS, plans[4:], "ms"))
    return results


def smallest(store: Store) -> Result:
    """Returns the time of the smallest query, in the process."""
    times = [timed(lambda: store.sql("SELECT 1 AS one").arrow()) for _ in range(200)]
    return note("any store", "smallest query", OURS, times, "ms")


def small_batches(segments: int) -> Iterator[bytes]:
    for batch in data.batches(segments * SMALL_SEGMENT_ROWS):
        lines = batch.split(b"\n")
        for start in range(0, len(lines), SMALL_SEGMENT_ROWS):
            yield b"\n".join(lines[start : start + SMALL_SEGMENT_ROWS])


def _compared(stores: dict[str, Store], sql: str, rounds: int) -> list[float]:
    """Returns the ratios of interleaved runs, with to without."""
    works = {name: (lambda store=store: store.sql(sql).arrow()) for name, store in stores.items()}
    times = interleaved(works, rounds)
    return [a / b for a, b in zip(times["with"], times["without"], strict=True)]


def _bytes_read(store: Store, sql: str) -> int:
    """Returns the bytes that the process asks of files for a query of a text not asked before.

    What an opened store reads of its catalog once, for whatever is asked first, is not counted.
    """

    def asked() -> int:
        line = Path("/proc/self/io").read_text().split("\n")[0]
        return int(line.removeprefix("rchar: "))

    store.sql(sql).arrow()
    before = asked()
    store.sql(f"{sql} ORDER BY 1").arrow()
    return asked() - before
