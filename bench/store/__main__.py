"""Measures the store: `python -m bench.store [--quick]`."""

from __future__ import annotations

import json
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.datagen import chats, spans
from bench.report import Result, keep, middle, show
from tracestore import limits
from tracestore.store import Store
from tracestore.store.catalog.changes import Change
from tracestore.store.catalog.segment_row import NewSegment
from tracestore.variant import OVERFLOW

MB = 1_000_000.0


class Bench:
    """The results of one run."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.results: list[Result] = []

    def note(self, workload: str, metric: str, values: list[float], unit: str) -> None:
        """Adds a result: the median of the values and their spread."""
        value, spread = middle(values)
        package = version("tracestore")
        self.results.append(
            Result(workload, "store", "tracestore", package, metric, value, unit, spread)
        )

    def program(self, module: str, *arguments: Path) -> dict[str, float]:
        """Returns what a measuring program prints; a process of its own has its own peak memory."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        result: dict[str, float] = json.loads(done.stdout)
        return result

    def ingest(self) -> Path:
        """Measures ingest with sync durability, and returns a store's folder with its segments."""
        requests = spans.small_spans(20_000 if self.quick else 200_000)
        path = self.folder / "bodies"
        with path.open("wb") as file:
            for request in requests:
                file.write(struct.pack("<I", len(request)) + request)
        rounds = [self.program("bench.store.ingest", path, self.folder / f"i{n}") for n in range(3)]
        name = "ingest, small spans"
        self.note(name, "spans a second", [r["rows"] / r["seconds"] for r in rounds], "1/s")
        self.note(name, "CPU", [r["cpu_s"] / r["rows"] * 1e6 for r in rounds], "us/span")
        self.note(name, "peak resident", [r["peak_bytes"] / MB for r in rounds], "MB")
        self.note(name, "fdatasync calls", [r["syncs"] for r in rounds], "")
        return self.folder / "i0"

    def sizes(self, folder: Path) -> None:
        """Compares bytes on disk with a Parquet file of the same columns with pyarrow's defaults."""
        with Store.open(folder, background=False) as store:
            store.flush()
            store.compact(full=True)
            stored = store.stats().segment_bytes
            rows = store.stats().segment_rows
            with store.snapshot() as snapshot:
                parts = [pq.read_table(ref.uri) for ref in snapshot.tables["spans"].segments]
        table = pa.concat_tables(parts, promote_options="default")
        empty = [name for name in table.column_names if table[name].null_count == len(table)]
        table = table.drop_columns([name for name in empty if name == OVERFLOW])
        typed = self.folder / "typed.parquet"
        pq.write_table(table, typed, compression="zstd", row_group_size=122_880)
        self.note("bytes on disk, small spans", "a span", [stored / rows], "B")
        ratio = stored / typed.stat().st_size
        self.note("bytes on disk, small spans", "against typed Parquet", [ratio], "x")

    def chats(self) -> None:
        """Compares interleaved chat history with the same as JSON text in arrival order."""
        rows = chats.turns(30 if self.quick else 300, 10 if self.quick else 30)
        stored = self._chat_bytes(rows, limits.MAX_ITEM_COLUMNS_SHARE)
        lists_alone = self._chat_bytes(rows, 0.0)
        text = [json.dumps(row["input"]) for row in rows]
        other = {name: [row[name] for row in rows] for name in rows[0] if name != "input"}
        path = self.folder / "text.parquet"
        pq.write_table(pa.table({**other, "input": text}), path, compression="zstd")
        raw = sum(map(len, text)) / MB
        self.note("chat history", "JSON text", [raw], "MB")
        self.note("chat history", "stored", [stored / MB], "MB")
        ratio = stored / path.stat().st_size
        self.note("chat history", "against JSON text Parquet", [ratio], "x")
        self.note("chat history", "with item columns, of without", [stored / lists_alone], "x")

    def _chat_bytes(self, rows: list[dict[str, Any]], item_columns_share: float) -> int:
        """Returns the bytes of the segment of chat turns."""
        folder = self.folder / f"chats{item_columns_share}"
        with Store.open(
            folder, background=False, max_item_columns_share=item_columns_share
        ) as store:
            store.insert("spans", rows)
            store.flush()
            store.compact(full=True)
            return store.stats().segment_bytes

    def compaction(self) -> None:
        """Measures merging, and that its memory does not grow with the number of segments."""
        per_segment = 2_000 if self.quick else 20_000
        for count in (8, 32):
            folder = self.folder / f"c{count}"
            with Store.open(folder, background=False, flush_rows=10**9) as store:
                for number in range(count):
                    for body in spans.small_spans(per_segment, seed=number):
                        store.ingest_otlp(body, "traces")
                    store.flush()
            done = self.program("bench.store.compaction", folder)
            name = f"compaction of {count} segments"
            self.note(name, "file bytes", [done["file_bytes"] / done["seconds"] / MB], "MB/s")
            self.note(name, "row bytes", [done["raw_bytes"] / done["seconds"] / MB], "MB/s")
            self.note(name, "peak resident", [done["peak_bytes"] / MB], "MB")
            self.note(name, "CPU, a row", [done["cpu_s"] / done["rows"] * 1e6], "us")

    def many_segments(self) -> None:
        """Measures opening a store of 5,000 segments and pruning to 10 of them."""
        count = 500 if self.quick else 5_000
        folder = self.folder / "many"
        with Store.open(folder, background=False) as store:
            fill_with_segments(store, count)
        opens = [
            self.seconds(lambda: Store.open(folder, background=False).close()) for _ in range(5)
        ]
        self.note(f"{count:,} segments", "open", [value * 1e3 for value in opens], "ms")
        with Store.open(folder, background=False) as store:
            by_time = [
                prune(store, time_range=(n * 1000, n * 1000 + 9_001)) for n in range(100, 120)
            ]
            by_path = [prune(store, paths=[f"attributes.only{n}"]) for n in range(20)]
        self.note(f"{count:,} segments", "prune to 10 by time", by_time, "ms")
        self.note(f"{count:,} segments", "prune to 10 by path", by_path, "ms")

    def snapshots(self) -> None:
        """Measures snapshots of a large memtable: the first, a repeated one, one after new rows."""
        rows = 20_000 if self.quick else 200_000
        settings: dict[str, Any] = {"flush_rows": 10**9, "flush_bytes": 10**12, "background": False}
        with Store.open(self.folder / "snap", **settings) as store:
            requests = spans.small_spans(rows + 20 * spans.SPANS_PER_REQUEST)
            for body in requests[:-20]:
                store.ingest_otlp(body, "traces")
            name = f"snapshot of {rows:,} rows in memory"
            self.note(name, "first", [read(store)], "ms")
            self.note(name, "again", [read(store) for _ in range(20)], "ms")
            after = []
            for body in requests[-20:]:
                store.ingest_otlp(body, "traces")
                after.append(read(store))
            self.note(name, "after 512 new rows", after, "ms")

    @staticmethod
    def seconds(work: Any) -> float:
        """Returns how long a piece of work takes."""
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


def read(store: Store) -> float:
    """Returns the milliseconds of a snapshot with its rows."""
    start = time.perf_counter()
    with store.snapshot() as snapshot:
        assert snapshot.tables["spans"].memtable
    return (time.perf_counter() - start) * 1e3


def prune(store: Store, **choice: Any) -> float:
    """Returns the milliseconds of a pruned snapshot of ten segments."""
    start = time.perf_counter()
    with store.snapshot(**choice) as snapshot:
        found = len(snapshot.tables["spans"].segments)
    took = (time.perf_counter() - start) * 1e3
    assert found == 10, found
    return took


def fill_with_segments(store: Store, count: int) -> None:
    """Adds segments with 100 leaf columns each to the catalog; their files are empty but there."""
    core = store._core  # noqa: SLF001 - no public way adds a segment without rows
    added = []
    for number in range(count):
        file_key = f"spans/default/2026-01-01/{number:026d}.parquet"
        path = core.segments.files.local(file_key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        leaves = {f"attributes.k{(number + i) % 400}:str": 10 for i in range(99)}
        leaves[f"attributes.only{number % (count // 10)}:str"] = 1
        added.append(
            NewSegment(
                segment_id=f"{number:026d}",
                table="spans",
                project="default",
                day=20_000,
                file_key=file_key,
                rows=1000,
                bytes=0,
                crc=0,
                tail_bytes=None,
                tail_crc=None,
                words_bytes=None,
                words_crc=None,
                words_footer_crc=None,
                raw_bytes=10**9,
                min_time_ns=number * 1000,
                max_time_ns=number * 1000 + 999,
                created_ns=0,
                cluster_columns=None,
                leaf_rows=leaves,
                tail_rows={},
            )
        )
    core.catalog.commit(Change(added=added, now_ns=1))


def main() -> None:
    """Runs every measurement."""
    folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
    bench = Bench(folder, quick="--quick" in sys.argv)
    try:
        bench.sizes(bench.ingest())
        bench.chats()
        bench.compaction()
        bench.many_segments()
        bench.snapshots()
    finally:
        shutil.rmtree(folder)
    print(f"# {platform.machine()}, Python {platform.python_version()}, pyarrow {pa.__version__}")
    keep(bench.results, "store", quick=False)  # small spans are alike in small numbers
    show(bench.results)


if __name__ == "__main__":
    main()
