"""The numbers to reach, line by line, beside what the last runs measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.report import Result

Runs = Mapping[str, list[Result]]


@dataclass(frozen=True, slots=True)
class Target:
    """One line: what was wanted, and how it is read from the results; None where they have no such run."""

    what: str
    wanted: str
    value: Callable[[Runs], float | None]
    reached: Callable[[float], bool]
    unit: str


def table(runs: Runs) -> str:
    """Returns the lines as a Markdown table."""
    lines = ["| what | wanted | measured | reached |", "|---|---|---|---|"]
    for each in TARGETS:
        value = each.value(runs)
        shown = "not run" if value is None else f"{value:,.2f} {each.unit}"
        verdict = "yes" if value is not None and each.reached(value) else "**no**"
        if value is None or each.wanted == "-":
            verdict = ""
        lines.append(f"| {each.what} | {each.wanted} | {shown} | {verdict} |")
    return "\n".join(lines) + "\n"


def _one(run: str, metric: str, **wanted: str) -> Callable[[Runs], float | None]:
    """Returns what reads the first result of a metric; the metric may be the beginning of its name."""

    def read(runs: Runs) -> float | None:
        for each in runs.get(run, ()):
            fields_fit = all(
                getattr(each, name).startswith(value) for name, value in wanted.items()
            )
            if each.metric.startswith(metric) and fields_fit:
                return each.value
        return None

    return read


def _worst(run: str, metrics: str, workload: str = "") -> Callable[[Runs], float | None]:
    """Returns what reads the largest value of the metrics, and workloads, that have words in common."""

    def read(runs: Runs) -> float | None:
        values = [
            each.value
            for each in runs.get(run, ())
            if metrics in each.metric and workload in each.workload
        ]
        return max(values) if values else None

    return read


def _ours_of_typed(runs: Runs) -> float | None:
    typed = _one("query", "all queries", system="hand-typed")(runs)
    return None if typed is None else 1 / typed


def _compared(
    question: str,
    metric: str,
    system: str,
    workloads: tuple[str, ...] = ("apm", "llm", "evolving"),
) -> Callable[[Runs], float | None]:
    """Returns what reads ours over another system's, the geometric mean over the workloads."""

    def read(runs: Runs) -> float | None:
        ratios = []
        for name in workloads:
            values = {
                each.system: each.value
                for each in runs.get(name, ())
                if each.question == question and each.metric == metric
            }
            if system in values and "tracestore" in values:
                ratios.append(values["tracestore"] / values[system])
        return statistics.geometric_mean(ratios) if ratios else None

    return read


def _asked(system: str, workloads: tuple[str, ...]) -> Callable[[Runs], float | None]:
    """Returns what reads another system's time over ours, warm: the geometric mean over questions both answer."""

    def read(runs: Runs) -> float | None:
        ratios = []
        for name in workloads:
            times = {
                (each.question, each.system): each.value
                for each in runs.get(name, ())
                if each.metric == "warm"
            }
            for question in {asked for asked, _ in times}:
                ours, theirs = times.get((question, "tracestore")), times.get((question, system))
                if ours is not None and theirs is not None:
                    ratios.append(theirs / ours)
        return statistics.geometric_mean(ratios) if ratios else None

    return read


def _before(benchmark: str, metric: str) -> Callable[[Runs], float | None]:
    """Returns what reads this tree's number in those of an earlier commit that was measured by turns."""

    def read(runs: Runs) -> float | None:
        for each in runs.get("before", ()):
            is_it = each.workload.startswith(benchmark) and each.metric.startswith(metric)
            if is_it and each.unit == "x before":
                return each.value
        return None

    return read


def _cost_of_words(step: str) -> Callable[[Runs], float | None]:
    """Returns what reads the time that words add to a flush or a merge, in percent."""

    def read(runs: Runs) -> float | None:
        whole = _one("words", f"{step}, a row", system="tracestore")(runs)
        without = _one("words", f"{step}, a row", system="tracestore, no words")(runs)
        return None if whole is None or without is None else 100 * (whole / without - 1)

    return read


def _of_typed(question: str) -> Callable[[Runs], float | None]:
    """Returns what reads a question's time, warm, of hand-typed Parquet's: the worst of the workloads of spans."""

    def read(runs: Runs) -> float | None:
        ratios = []
        for name in ("apm", "llm", "evolving"):
            times = {
                each.system: each.value
                for each in runs.get(name, ())
                if each.metric == "warm" and each.question.startswith(question)
            }
            if "hand-typed parquet" in times and "tracestore" in times:
                ratios.append(times["tracestore"] / times["hand-typed parquet"])
        return max(ratios) if ratios else None

    return read


def _at_least(bound: float) -> Callable[[float], bool]:
    return lambda value: value >= bound


def _at_most(bound: float) -> Callable[[float], bool]:
    return lambda value: value <= bound


TARGETS = [
    Target("shred small OTLP spans, against Python libraries", "at least 15x",
           _one("shred", "times faster", workload="small"), _at_least(15), "x"),
    Target("shred small OTLP spans, one thread", "at least 250 MB/s",
           _one("shred", "throughput", workload="small", system="tracestore"), _at_least(250), "MB/s"),
    Target("ingest through HTTP, synced, visible, against inserts into ClickHouse JSON", "at least 4x",
           _one("inserts", "time", system="clickhouse json"), _at_least(4), "x"),
    Target("the same, against inserts into a DuckDB VARIANT table", "at least 10x",
           _one("inserts", "time", system="duckdb variant"), _at_least(10), "x"),
    Target("NDJSON in one process, synced and merged, against ClickHouse JSON", "-",
           _compared("ingest", "rows a second", "clickhouse json"), _at_least(0), "x"),
    Target("the same, against a DuckDB VARIANT table", "-",
           _compared("ingest", "rows a second", "duckdb variant table"), _at_least(0), "x"),
    Target("ingest through HTTP, two senders", "-",
           _one("service", "ingest"), _at_least(0), "spans/s"),
    Target("the same, of an earlier commit's (a8d2ea7) in the same run", "at least 1.6x",
           _before("service", "ingest"), _at_least(1.6), "x"),
    Target("the same: acknowledgement, p99, of the earlier commit's", "no worse",
           _before("service", "acknowledgement, p99"), _at_most(1.05), "x"),
    Target("the same: bytes written for a byte kept while ingest runs", "at most 1.5",
           _one("service", "bytes written for a byte kept"), _at_most(1.5), "B"),
    Target("the same: processor time of the server", "-",
           _one("service", "processor time of the server"), _at_least(0), "us/span"),
    Target("the same: memory at its end, of that at its beginning", "at most 1.1x",
           _one("service", "resident memory, last quarter"), _at_most(1.1), "x"),
    Target("a merge, words included, CPU a row", "at most 1.5 us",
           _worst("store", "CPU, a row", "compaction"), _at_most(1.5), "us"),
    Target("a board of 12 groupings, asked again after 10,000 new spans, of its first time", "at most 0.10x",
           _one("boards", "share of a board after new spans, of first time"), _at_most(0.10), "x"),
    Target("the same, of its first time where nothing is kept", "at most 0.10x",
           _one("boards", "share of a board after new spans, of nothing kept"), _at_most(0.10), "x"),
    Target("seven queries, of hand-typed Parquet's time", "at most 1.10x",
           _ours_of_typed, _at_most(1.10), "x"),
    Target("the same, ClickHouse JSON", "at least 8x ours",
           _one("query", "all queries", system="clickhouse json"), _at_least(8), "x"),
    Target("the same, ClickHouse JSON where types are cast, not named", "-",
           _one("query", "all queries", system="clickhouse json, cast"), _at_least(0), "x"),
    Target("questions of apm and events, a DuckDB VARIANT table in its file", "at least 4x ours",
           _asked("duckdb variant table", ("apm", "events")), _at_least(4), "x"),
    Target("questions of llm, 20,000 chats: ClickHouse JSON", "at least 2x ours",
           _asked("clickhouse json", ("llm",)), _at_least(2), "x"),
    Target("the same, hand-typed Parquet", "at least 1.3x ours",
           _asked("hand-typed parquet", ("llm",)), _at_least(1.3), "x"),
    Target("questions of 200,000 chats of 5 to 50 KB: ClickHouse JSON", "at least 2x ours",
           _asked("clickhouse json", ("llm-large",)), _at_least(2), "x"),
    Target("the same, hand-typed Parquet", "at least 1.3x ours",
           _asked("hand-typed parquet", ("llm-large",)), _at_least(1.3), "x"),
    Target("the same, bytes on disk, of JSON text in zstd Parquet", "at most 0.75x",
           _compared("size", "bytes", "json text parquet", ("llm-large",)), _at_most(0.75), "x"),
    Target("the same, JSON text in Parquet", "at least 25x ours",
           _one("query", "all queries", system="json parquet"), _at_least(25), "x"),
    Target("bytes on disk, of JSON text in zstd Parquet (apm, llm, evolving)", "at most 0.75x",
           _compared("size", "bytes", "json text parquet"), _at_most(0.75), "x"),
    Target("bytes on disk, small OTLP spans, of the same columns typed", "at most 1.02x",
           _one("store", "against typed Parquet"), _at_most(1.02), "x"),
    Target("repeated chat history, of JSON text in Parquet", "at most 0.10x",
           _one("store", "against JSON text"), _at_most(0.10), "x"),
    Target("chat history with item columns, of without", "at most 1.05x",
           _one("store", "with item columns"), _at_most(1.05), "x"),
    Target("messages by role, 20,000 spans of llm", "at most 12 ms",
           _one("llm", "warm", question="Q12", system="tracestore"), _at_most(12), "ms"),
    Target("first to post, 1 M events (B4), clustered by what is asked", "at most 12 ms",
           _one("events", "warm", question="B4", system="tracestore, clustered"), _at_most(12), "ms"),
    Target("longest activity, 1 M events (B5), the same", "at most 12 ms",
           _one("events", "warm", question="B5", system="tracestore, clustered"), _at_most(12), "ms"),
    Target("B4 sorted by time", "-",
           _one("events", "warm", question="B4", system="tracestore"), _at_least(0), "ms"),
    Target("B5 sorted by time", "-",
           _one("events", "warm", question="B5", system="tracestore"), _at_least(0), "ms"),
    Target("B4 in ClickHouse, sorted so", "-",
           _one("events", "warm", question="B4", system="clickhouse json"), _at_least(0), "ms"),
    Target("B5 in ClickHouse, sorted so", "-",
           _one("events", "warm", question="B5", system="clickhouse json"), _at_least(0), "ms"),
    Target("ingest of 1 M events, clustered, CPU of a row", "-",
           _one("events", "CPU seconds a million rows", system="tracestore, clustered"), _at_least(0), "us"),
    Target("the same, sorted by time", "-",
           _one("events", "CPU seconds a million rows", system="tracestore"), _at_least(0), "us"),
    Target("filter on any tail path, 1 M rows, 200,000 keys", "at most 10 ms",
           _worst("query", "filter on tail path"), _at_most(10), "ms"),
    Target("one odd row: bytes read by queries on other paths", "unchanged",
           _one("query", "bytes read by others"), _at_most(1.01), "x"),
    Target("a rare word among 10 M spans", "at most 25 ms",
           _one("words", "a word, rare", system="tracestore", workload="10,000,000"), _at_most(25), "ms"),
    Target("a word that none of 10 M spans has", "at most 10 ms",
           _one("words", "a word, absent", system="tracestore", workload="10,000,000"), _at_most(10), "ms"),
    Target("a word in 2 % of 10 M spans", "at most 150 ms",
           _one("words", "a word, in 2 %", system="tracestore", workload="10,000,000"), _at_most(150), "ms"),
    Target("words sidecars, of their segments' bytes", "at most 20 %",
           _one("words", "words, of the segments", system="tracestore"), _at_most(20), "%"),
    Target("words, of the time of a flush without", "at most 20 %", _cost_of_words("flush"), _at_most(20), "%"),
    Target("words, of the time of a merge without", "at most 20 %", _cost_of_words("merge"), _at_most(20), "%"),
    Target("planning over 500 segments, a new text", "at most 3 ms",
           _worst("query", "planning"), _at_most(3), "ms"),
    Target("planning a path of 14 names, a new text, CPU", "at most 20 ms",
           _one("fixed", "a new text", workload="a path of 14"), _at_most(20), "ms"),
    Target("planning a tile of a board, a new text, CPU", "-",
           _one("fixed", "a tile"), _at_least(0), "ms"),
    Target("planning 1,000 paths: CPU of a path, of that among 250", "at most 1.2x",
           _one("fixed", "a path, of a fourth"), _at_most(1.2), "x"),
    Target("2,000 paths, 1,500 of a tail: the whole query, CPU", "at most 2 s",
           _one("fixed", "the whole query, CPU"), _at_most(2), "s"),
    Target("functions of objects with 6,000 keys, 1,000 rows", "at most 10 ms",
           _worst("fixed", "1,000 rows"), _at_most(10), "ms"),
    Target("the first query of a store with 20,000 paths", "at most 30 ms",
           _one("fixed", "the first query"), _at_most(30), "ms"),
    Target("tracestore --help, CPU", "at most 0.25 s",
           _one("fixed", "tracestore --help"), _at_most(0.25), "s"),
    Target("import tracestore, CPU", "at most 50 ms",
           _one("fixed", "import tracestore"), _at_most(50), "ms"),
    Target("tracestore query SELECT 1, CPU", "at most 0.6 s",
           _one("fixed", "tracestore query"), _at_most(0.6), "s"),
    Target("mixed types (Q5), of hand-typed Parquet's time", "at most 1.3x",
           _of_typed("Q5"), _at_most(1.3), "x"),
    Target("smallest query in the process", "-",
           _one("query", "smallest query"), _at_least(0), "ms"),
    Target("smallest query through HTTP, engine process included, p50", "at most 3.5 ms",
           _one("service", "smallest query, idle"), _at_most(3.5), "ms"),
    Target("the same, of an earlier commit's in the same run", "-",
           _before("service", "smallest query, idle"), _at_least(0), "x"),
    Target("smallest query through HTTP under full ingest, p50", "at most 40 ms",
           _one("service", "smallest query under load"), _at_most(40), "ms"),
    Target("trace by id among 10 M spans, p50", "at most 15 ms",
           _one("query", "trace by id", workload="10,000,000"), _at_most(15), "ms"),
    Target("whole spans of a trace by id among 10 M spans, p50", "at most 12 ms",
           _one("query", "trace by id, whole", workload="10,000,000"), _at_most(12), "ms"),
    Target("a rare key in 5,000 of 10 M spans", "at most 15 ms",
           _one("query", "a rare key", workload="10,000,000"), _at_most(15), "ms"),
    Target("ten clients: queries of the slowest, of the fastest's", "no starving",
           _one("query", "queries of the slowest"), _at_least(0.5), "x"),
    Target("ten times more data outside of the time range", "at most 1.10x",
           _worst("query", "of the time without", "outside"), _at_most(1.10), "x"),
    Target("10,000 rare keys: queries on other paths", "at most 1.20x",
           _worst("query", "of the time without", "rare keys"), _at_most(1.20), "x"),
    Target("10,000 rare keys: ingest", "at least 0.5x",
           _one("query", "spans a second, of those"), _at_least(0.5), "x"),
    Target("memory under sustained ingest", "at most 1,074 MB",
           _one("service", "peak resident"), _at_most(1074), "MB"),
    Target("memory of all questions over 10 M rows", "at most 1,200 MB",
           _one("memory", "peak resident, all questions", workload="apm, 10,000,000"), _at_most(1200), "MB"),
    Target("64 heavy groupings at once: neither answered nor refused with a remedy", "none",
           _one("memory", "lost"), _at_most(0), "statements"),
    Target("trace page of 100,000 spans in a browser, click to interactive", "at most 1 s",
           _one("ui", "TRACE of 100,000 spans, click"), _at_most(1), "s"),
    Target("the same, a frame while it scrolls, p95 (the page alone cannot be under 16.7)", "at most 16.8 ms",
           _one("ui", "TRACE of 100,000 spans, by wheel: p95"), _at_most(16.8), "ms"),
]  # fmt: skip
