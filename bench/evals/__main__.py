"""How fast are experiments compared, and how fast do spans become rows of a dataset, and leave as files?

    python -m bench.evals [--rows 1000000] [--quick]

Each export runs in a process of its own, for its peak resident memory, while this process asks a small question of
the same server again and again. MB are of the answer as JSON lines, for every format: what a user moves.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import tracestore
from bench.datagen.spans import WORDS
from bench.evals.comparison import comparison
from bench.query.data import BATCH_ROWS, batches
from bench.report import Result, middle, show
from tracestore.client import Client
from tracestore.server import Server, ServerSettings

DATASET_ROWS = 20_000
DATASET_WORDS = 1000  # about 6 KB a span
SQL = "SELECT * FROM spans"
EXPORT = """
import json, re, sys, time
from pathlib import Path
from tracestore.client import Client
from tracestore.exports import export
import tracestore
source, output, sql = sys.argv[1:]
opened = Client(source) if source.startswith("http") else tracestore.open(source, "r")
with opened as store:
    store.query_memory = "300MB"  # as the command does
    start = time.perf_counter()
    done = export(store, sql, output)
    seconds = time.perf_counter() - start
# Not ru_maxrss: that begins at what the process that started this one held.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({"seconds": seconds, "rows": done.rows, "bytes": done.bytes, "peak": peak}))
"""


def payloads(rows: int) -> Iterator[bytes]:
    """Yields NDJSON of spans with an input and an output."""
    rng = random.Random(11)
    for body in batches(rows):
        lines = []
        for line in body.splitlines():
            row = json.loads(line)
            row["input"] = {
                "messages": [{"role": "user", "content": " ".join(rng.choices(WORDS, k=40))}]
            }
            row["output"] = {"text": " ".join(rng.choices(WORDS, k=30))}
            lines.append(json.dumps(row))
        for start in range(0, BATCH_ROWS, 5000):
            yield "\n".join(lines[start : start + 5000]).encode()


def exported(source: str, output: Path, sql: str) -> dict[str, float]:
    """Returns what one export took, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", EXPORT, source, str(output), sql],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


class Questions:
    """A thread that asks a small question again and again while something else goes on."""

    def __init__(self, url: str) -> None:
        self.seconds: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(url,))
        self._thread.start()

    def _ask(self, url: str) -> None:
        with Client(url) as client:
            while not self._stop.wait(0.5):
                start = time.perf_counter()
                client.sql("SELECT count(*) AS n FROM spans WHERE status_code = 'ERROR'")
                self.seconds.append(time.perf_counter() - start)

    def stop(self) -> None:
        """Ends asking."""
        self._stop.set()
        self._thread.join()


def exports(folder: Path, rows: int, rounds: int) -> Iterator[Result]:
    """Yields speeds and peaks of each format, from the folder and from a server."""
    data = folder / "store"
    with tracestore.open(data) as store:
        for body in payloads(rows):
            store.insert("spans", body)
        store.flush()
        store.compact()
    line_bytes = exported(str(data), folder / "warm.jsonl", SQL)["bytes"]
    with Server(ServerSettings(data=data, port=0, grpc_port=-1)) as server:
        for name, source in (("folder", str(data)), ("server", server.url)):
            for kind in ("jsonl", "parquet", "csv", "arrow"):
                questions = Questions(server.url)
                runs = [exported(source, folder / f"out.{kind}", SQL) for _ in range(rounds)]
                questions.stop()
                rates = [line_bytes / 1e6 / run["seconds"] for run in runs]
                value, spread = middle(rates)
                title, system = f"export of {rows:,} spans", f"{kind} from {name}"
                yield Result("evals", title, system, "", "speed", value, "MB/s", spread)
                peak = max(run["peak"] for run in runs) / 2**20
                yield Result("evals", title, system, "", "peak", peak, "MiB", 0)
                if questions.seconds:
                    asked, spread = middle([each * 1000 for each in questions.seconds])
                    yield Result("evals", title, system, "", "query meanwhile", asked, "ms", spread)


def dataset(folder: Path, rounds: int) -> Iterator[Result]:
    """Yields the seconds that spans take to become rows, and to be found there already."""
    rng = random.Random(3)
    with tracestore.open(folder / "spans") as store:
        for start in range(0, DATASET_ROWS, 1000):
            rows = [
                {
                    "trace_id": f"{n + 1:032x}",
                    "span_id": f"{n + 1:016x}",
                    "input": {
                        "messages": [
                            {
                                "role": "user",
                                "content": " ".join(rng.choices(WORDS, k=DATASET_WORDS)),
                            }
                        ]
                    },
                    "output": {"text": " ".join(rng.choices(WORDS, k=100))},
                }
                for n in range(start, start + 1000)
            ]
            store.insert("spans", rows)
        store.flush()
        sql = "SELECT trace_id, span_id, input, output FROM spans"
        for metric in ("added", "found again"):
            seconds = []
            for number in range(rounds):
                start_s = time.perf_counter()
                store.datasets.add(f"d{number}", sql=sql)
                seconds.append(time.perf_counter() - start_s)
            value, spread = middle(seconds)
            title = f"dataset of {DATASET_ROWS:,} spans"
            yield Result("evals", title, "tracestore", "", metric, value, "s", spread)


def main() -> None:
    """Runs all and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="100,000 spans, once")
    options = parser.parse_args()
    rows, rounds = (100_000, 1) if options.quick else (options.rows, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        results = [
            *comparison(Path(folder), rounds),
            *dataset(Path(folder), rounds),
            *exports(Path(folder), rows, rounds),
        ]
    show(results)


if __name__ == "__main__":
    main()
