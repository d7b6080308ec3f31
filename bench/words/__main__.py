"""Measures searches for words, and what their sidecars cost: `python -m bench.words [--rows N] [--quick]`."""

from __future__ import annotations

import argparse
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tracestore
from bench.report import Result, interleaved, keep, middle, seconds, show
from bench.words import others
from bench.words.data import COMMON_WORD, RARE_WORDS, messages, rare_word, spans
from tracestore import Store
from tracestore_query import Query

OURS, SCAN, TANTIVY, SQLITE = "tracestore", "tracestore, scan", "tantivy", "sqlite fts5"
NO_WORDS = 10**12
"""Rows from which a segment would have a words sidecar, where none shall have one."""

QUESTION = "words"
FLUSH_BATCHES = 6


def main() -> None:
    """Runs all questions and prints what they gave."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="50,000 rows: shows that it runs")
    chosen = parser.parse_args()
    rows = 50_000 if chosen.quick else chosen.rows
    folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
    try:
        results = [
            *searches(folder, rows, 3 if chosen.quick else 11),
            *writing(folder, min(rows, 400_000), 2 if chosen.quick else 5),
        ]
    finally:
        shutil.rmtree(folder)
    keep(results, "words", quick=chosen.quick)
    show(results)


def searches(folder: Path, rows: int, rounds: int) -> list[Result]:
    """Returns the time of a count of rows with a word: rare, absent, in 2 % of the rows. All must count alike."""
    workload = f"{rows:,} spans"
    results: list[Result] = []
    with filled(folder / "store", rows) as store:
        scan = Query(store, shortcuts=False)
        systems: dict[str, Callable[[str], int]] = {
            OURS: lambda word: counted(store.query, "match(attributes.message, $w)", word),
            "tracestore, search": lambda word: counted(store.query, "search($w)", word),
            SCAN: lambda word: counted(scan, "match(attributes.message, $w)", word),
            TANTIVY: others.tantivy_index(folder / "tantivy", messages(rows)),
            SQLITE: others.sqlite_index(folder / "sqlite", messages(rows)),
        }
        questions: dict[str, Callable[[int], str]] = {
            "rare": lambda i: rare_word(i % RARE_WORDS),
            "absent": lambda i: f"absent{i}x",
            "in 2 % of rows": lambda _: COMMON_WORD,
        }
        for name, word_of in questions.items():
            check(systems, word_of(0))
            # Another word each time: none was asked before.
            turns = {system: itertools.count(1) for system in systems}
            works = {
                system: lambda system=system: systems[system](word_of(next(turns[system])))  # noqa: B023
                for system in systems
            }
            for system, times in interleaved(works, rounds).items():
                milliseconds = [each * 1e3 for each in times]
                results.append(result(workload, f"a word, {name}", system, milliseconds, "ms"))
        scan.close()
        results += sizes(folder, store, workload)
    return results


def counted(query: Query, condition: str, word: str) -> int:
    """Returns how many rows match."""
    sql = f"SELECT count(*) AS n FROM spans WHERE {condition}"
    with query.sql(sql, {"w": word}, timeout_s=None) as answer:
        return int(answer.rows()[0]["n"])


def check(systems: dict[str, Callable[[str], int]], word: str) -> None:
    """Stops where two systems count differently."""
    counts = {system: count(word) for system, count in systems.items()}
    if len(set(counts.values())) != 1:
        raise SystemExit(f"systems disagree on {word!r}: {counts}")


def sizes(folder: Path, store: Store, workload: str) -> Iterator[Result]:
    """Yields bytes: of the sidecars for a byte of their segments, and of the others' indexes for the same."""
    with store.snapshot() as snapshot:
        facts = [segment.row for segment in snapshot.tables["spans"].segments]
    whole = sum(row.bytes + (row.tail_bytes or 0) for row in facts)
    indexes = {
        OURS: sum(row.words_bytes or 0 for row in facts),
        TANTIVY: others.bytes_of(folder / "tantivy"),
        SQLITE: others.bytes_of(folder / "sqlite"),
    }
    for system, size in indexes.items():
        share = [100 * size / whole]
        yield result(workload, "words, of the segments' bytes", system, share, "%")


def writing(folder: Path, rows: int, rounds: int) -> Iterator[Result]:
    """Yields the time that words add to flushes and to a merge of what these wrote."""
    times: dict[tuple[str, str], list[float]] = {}
    works = {
        step: {
            system: lambda system=system, step=step: times.setdefault((step, system), []).append(
                written(folder, rows, system, step)
            )
            for system in (OURS, "tracestore, no words")
        }
        for step in ("flush", "merge")
    }
    for step, by_system in works.items():
        interleaved(by_system, rounds)
        for system in by_system:
            microseconds = [each * 1e6 / rows for each in times[step, system][1:]]
            yield result(f"{rows:,} spans", f"{step}, a row", system, microseconds, "us")


def written(folder: Path, rows: int, system: str, step: str) -> float:
    """Returns the seconds of one step; what comes before it is not timed."""
    limit: dict[str, Any] = {} if system == OURS else {"min_words_rows": NO_WORDS}
    store = tracestore.open(folder / "written", background=False, durability="async", **limit)
    try:
        flushes = [
            seconds(store.flush) for _ in inserted(store, rows, flushed=rows // FLUSH_BATCHES)
        ]
        if step == "flush":
            return sum(flushes)
        return seconds(lambda: store.compact(full=True))
    finally:
        store.close()
        shutil.rmtree(folder / "written")


def inserted(store: Store, rows: int, flushed: int) -> Iterator[None]:
    """Inserts the rows, and yields where they are to be flushed."""
    waiting = first = 0
    for batch in messages(rows):
        store.insert("spans", spans(first, batch))
        first += len(batch)
        waiting += len(batch)
        if waiting >= flushed:
            waiting = 0
            yield
    if waiting:
        yield


def filled(folder: Path, rows: int) -> Store:
    """Returns a store of the spans, merged as a server merges them."""
    store = tracestore.open(folder, background=False, durability="async")
    for _ in inserted(store, rows, flushed=400_000):
        store.flush()
    store.compact()
    return store


def result(workload: str, metric: str, system: str, values: list[float], unit: str) -> Result:
    """Returns a result: the median of the values and their spread."""
    package = {TANTIVY: version("tantivy"), SQLITE: sqlite3.sqlite_version}
    value, spread = middle(values)
    known = package.get(system) or version("tracestore")
    return Result(workload, QUESTION, system, known, metric, value, unit, spread)


if __name__ == "__main__":
    main()
