"""One trace by its id among many spans."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import tracestore
from bench.query.data import START_NS
from bench.query.measure import OURS, note, timed
from bench.report import Result
from tracestore import Store

BATCH_ROWS = 50_000
OPEN_TRACES = 40
"""Traces whose spans interleave, as those of a busy service do."""

SPANS_PER_TRACE = 5
ASKED = 60

RARE_EVERY = 2_000
"""Spans of which one has a key that no other has."""


def batches(rows: int, asked: list[str]) -> Iterator[bytes]:
    """Yields NDJSON of spans with random ids; ids of some of the traces are added to `asked`."""
    rng = random.Random(3)
    traces: list[str] = []
    every = max(rows // ASKED // SPANS_PER_TRACE, 1) * SPANS_PER_TRACE
    for start in range(0, rows, BATCH_ROWS):
        lines = []
        for i in range(start, min(start + BATCH_ROWS, rows)):
            if i % SPANS_PER_TRACE == 0:
                traces.append(f"{rng.getrandbits(128) | 1:032x}")
                del traces[:-OPEN_TRACES]
                if i % every == 0:
                    asked.append(traces[-1])
            trace_id = traces[int(rng.random() * len(traces))]
            rare = f',"debug.retries":{i // RARE_EVERY % 8 + 1}' if i % RARE_EVERY == 0 else ""
            # Written by hand: encoding 10 M dicts would take most of the run.
            lines.append(
                f'{{"trace_id":"{trace_id}","span_id":"{rng.getrandbits(64) | 1:016x}",'
                f'"name":"op{i % 7}","kind":"CLIENT","start_ns":{START_NS + i * 50_000},'
                f'"duration_ns":{int(rng.random() * 1e9)},"status_code":"OK",'
                f'"attributes":{{"http.route":"/api/{i % 50}","user.id":"user-{i % 5000}",'
                f'"n":{i % 977},"ok":true,"cost":{i % 101 / 7}{rare}}}}}'
            )
        yield "\n".join(lines).encode()


def trace_by_id(folder: Path, rows: int) -> list[Result]:
    """Returns the time of a trace's spans by its id, of some columns and of all, and of the spans with a rare key."""
    results = []
    asked: list[str] = []
    with tracestore.open(folder / "points", background=False, durability="async") as store:
        for number, batch in enumerate(batches(rows, asked)):
            store.insert("spans", batch)
            if number % 20 == 19:
                store.flush()
        store.flush()
        store.compact()
        for name, columns in (
            ("trace by id", "span_id, name, start_ns, attributes.user.id AS user"),
            ("trace by id, whole spans", "*"),
        ):
            sql = f"SELECT {columns} FROM spans WHERE trace_id = $id"
            times = [
                timed(lambda id_=id_, sql=sql: store.sql(sql, {"id": id_}).arrow())  # type: ignore[misc]
                for id_ in asked
            ]
            segments = store.stats().segments
            workload = f"{rows:,} spans, {segments} segments"
            results.append(note(workload, name, OURS, times, "ms"))
        results.append(_rare_key(store, workload, rows // RARE_EVERY))
    return results


def _rare_key(store: Store, workload: str, rows: int) -> Result:
    """Returns the time of a condition on a key that few spans have, with another value each time."""
    condition = "SELECT count(*) AS n FROM spans WHERE attributes.debug.retries >"
    texts = [f"{condition} {number / 4}" for number in range(24)]
    times = [timed(lambda sql=sql: store.sql(sql).arrow()) for sql in texts]  # type: ignore[misc]
    return note(workload, f"a rare key, in {rows:,} spans", OURS, times[1:], "ms")
