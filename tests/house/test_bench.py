"""The benchmark's ways of doing the work agree: same rows, same typed paths."""

from __future__ import annotations

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
