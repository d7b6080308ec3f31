"""Whether clients at the same time get their share each."""

from __future__ import annotations

import threading
import time

from bench.query.measure import OURS, note, timed
from bench.report import Result
from tracestore import Store

SMALL = "SELECT count(*) AS n FROM spans WHERE attributes.user.id = 'user-7'"
LARGE = (
    "SELECT attributes.user.id AS u, avg(attributes.gen_ai.request.temperature) AS a, count(*) AS n "
    "FROM spans WHERE attributes.retry.reason = 'rate' GROUP BY 1 ORDER BY n DESC LIMIT 10"
)
CLIENTS = 10


def together(store: Store, rows: int, seconds: float) -> list[Result]:
    """Returns how evenly ten clients are served, and what a small query waits beside nine large ones."""
    workload = f"{rows:,} spans, {CLIENTS} clients"
    alone = [timed(lambda: store.sql(SMALL).arrow()) for _ in range(30)]
    equal = _run(store, [SMALL] * CLIENTS, seconds)
    mixed = _run(store, [SMALL] + [LARGE] * (CLIENTS - 1), seconds)
    counts = [len(times) for times in equal]
    return [
        note(workload, "small query alone", OURS, alone, "ms"),
        note(workload, "small query beside nine small", OURS, [t for ts in equal for t in ts], "ms"),
        note(workload, "queries of the slowest client, of the fastest's", OURS, [min(counts) / max(counts)], "x"),
        note(workload, "small query beside nine large", OURS, mixed[0], "ms"),
        note(workload, "large query beside eight large", OURS, [t for ts in mixed[1:] for t in ts], "ms"),
    ]  # fmt: skip


def _run(store: Store, texts: list[str], seconds: float) -> list[list[float]]:
    """Returns the milliseconds of each query of each client."""
    times: list[list[float]] = [[] for _ in texts]
    stop_s = time.perf_counter() + seconds

    def client(number: int) -> None:
        while not times[number] or time.perf_counter() < stop_s:
            times[number].append(timed(lambda: store.sql(texts[number], timeout_s=None).arrow()))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times
