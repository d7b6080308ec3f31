"""The benchmark's ways of doing the work agree: same rows, same typed paths."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def _bench_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(sys, "argv", ["bench", "--quick"])


@pytest.mark.usefixtures("_bench_importable")
def test_every_workload_gives_the_same_columns_in_both_systems() -> None:
    from bench.shred.__main__ import workloads

    for load in workloads(0.02):
        ours = load.shred(load.bodies)
        theirs = load.baseline(load.bodies)
        assert ours.num_rows == theirs.num_rows == load.rows
        dense = [name for name in theirs.column_names if theirs.column(name).null_count == 0]
        leaves = [name for name in dense if ":" in name and "." not in name]
        assert set(leaves) <= set(ours.column_names)


@pytest.mark.usefixtures("_bench_importable")
def test_every_system_has_words_for_every_question(tmp_path: Path) -> None:
    from bench.compare.__main__ import SYSTEMS
    from bench.compare.polars_frame import _QUESTIONS
    from bench.compare.questions import WORKLOADS
    from bench.compare.worker import system_of

    asked = 0
    for name in SYSTEMS:
        for workload in WORKLOADS.values():
            system = system_of(name)(tmp_path, workload, "0a")
            for question in workload.questions:
                assert not re.search(r"\{\w", system.question(question))
                asked += 1
    assert asked == 9 * (10 + 10 + 12 + 12 + 5)
    every = {question for workload in WORKLOADS.values() for question in workload.questions}
    assert _QUESTIONS.keys() == every


@pytest.mark.usefixtures("_bench_importable")
def test_rows_of_a_workload_are_the_same_for_the_same_seed() -> None:
    from bench.datagen import workloads

    for name in workloads.MAKERS:
        first, again = (b"".join(workloads.ndjson(name, 50)) for _ in range(2))
        assert first == again
        assert first.count(b"\n") == 50


@pytest.mark.usefixtures("_bench_importable")
def test_the_report_reads_what_the_runs_kept() -> None:
    from bench import recorded, targets, write_report
    from bench.report import Result

    def result(system: str, metric: str, value: float, question: str = "Q1") -> Result:
        return Result("apm, 10 rows", question, system, "1", metric, value, "ms", 0.5)

    run = [
        result("rows as JSON", "bytes", 3.0, "size"),
        result("tracestore", "rows a second", 10.0, "ingest"),
        result("other", "rows a second", 5.0, "ingest"),
        result("tracestore", "warm", 2.0),
        result("other", "warm", 5.0),
        Result("apm, 10 rows", "Q2", "other", "1", "cannot", 0.0, "", 0.0, "no such type"),
    ]
    assert recorded.ratio(run, "other") == 2.5
    text = write_report.workload_section("apm", run)
    assert "| Q1 | 2.00 ± 0.50 | 5.00 ± 0.50 |" in text
    assert "- other, Q2: no such type" in text
    assert "| other | 2.5x | - | 0.50-0.50x |" in write_report.readme_table({"apm": run})
    odd = [
        result("tracestore", "bytes read by others", 1.5),
        result("tracestore", "smallest query", 1),
    ]
    lines = targets.table({"query": odd}).splitlines()
    [line] = [line for line in lines if line.startswith("| one odd row")]
    assert "**no**" in line
    assert any("not run" in line for line in lines)


@pytest.mark.usefixtures("_bench_importable")
def test_numbers_of_an_earlier_commit_stand_beside_those_of_this_one() -> None:
    from bench import targets, write_report
    from bench.before.__main__ import compared, kept_of_others

    key = ("two senders", "service", "tracestore", "ingest")
    kept = compared("service", "a8d2ea7", ({key: [90.0, 100.0]}, {key: [190.0]}), {key: "spans/s"})
    text = write_report.before_section(kept)
    assert "| service: two senders, service: ingest (spans/s) | 95.0" in text
    assert "| 190 | 2.00" in text
    lines = targets.table({"before": kept}).splitlines()
    [line] = [line for line in lines if line.startswith("| the same, of an earlier commit's (")]
    assert "2.00 x | yes" in line
    assert list(kept_of_others(kept, "a8d2ea7", ["shred"])) == kept
    assert not list(kept_of_others(kept, "a8d2ea7", ["shred", "service"]))
    assert not list(kept_of_others(kept, "another", ["shred"]))


@pytest.mark.usefixtures("_bench_importable")
def test_long_chats_have_5_to_50_kilobytes_a_span() -> None:
    from bench.datagen import workloads

    sizes = [
        len(line) for batch in workloads.ndjson("llm-large", 1500) for line in batch.split(b"\n")
    ]
    assert min(sizes[:-1]) > 5_000
    assert max(sizes) < 50 * 1024
    assert max(sizes) > 35_000
