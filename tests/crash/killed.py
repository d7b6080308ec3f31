"""The process that the kill tests kill: it writes from two threads, flushes and merges, and reports.

Run as a program it forks one such process a line of its input, so that imports are paid once.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from data.stores import span
from store.kit import otlp_traces
from tracestore.store import Store

SPANS_PER_REQUEST = 10


def write(folder: str, first: int, work: str) -> None:
    """Writes requests from number `first` on until killed.

    Sends a line before each request ("s <request>") and after its acknowledgement ("a <request>").
    """
    rows = 10**9 if work == "ingest" else 40
    store = Store.open(
        Path(folder),
        flush_seconds=1e9,
        compaction_min_inputs=2,
        background=work != "ingest",
        flush_rows=rows,
    )
    lock = threading.Lock()
    following = iter(range(first, 10**9))

    def send() -> None:
        while True:
            with lock:
                request = next(following)
            os.write(1, f"s {request}\n".encode())
            numbers = range(request * SPANS_PER_REQUEST, (request + 1) * SPANS_PER_REQUEST)
            store.ingest_otlp(otlp_traces(span(number) for number in numbers), "traces")
            os.write(1, f"a {request}\n".encode())

    threads = [threading.Thread(target=send, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    while work == "merge":
        store.compact()
    for thread in threads:
        thread.join()


def serve() -> None:
    """Forks a writer for each line "folder first work"; says "p <pid>" before and "k" after its end."""
    for line in sys.stdin:
        folder, first, work = line.rstrip("\n").split("\t")
        pid = os.fork()
        if pid == 0:
            write(folder, int(first), work)
            os._exit(1)
        os.write(1, f"p {pid}\n".encode())
        os.waitpid(pid, 0)
        os.write(1, b"k 0\n")


if __name__ == "__main__":
    serve()
