"""The cycle collector leaves alone what the modules of a command make, in the program alone."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tracestore
from data import processes
from tracestore.cli import app

PROGRAM = """
import atexit, gc, sys
from tracestore.cli import main
atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 100_000, file=sys.stderr))
main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", [{"name": "one"}])
    return tmp_path / "store"


def arguments(folder: Path) -> list[str]:
    sql = "SELECT name FROM spans"
    return ["query", sql, "--data", str(folder), "--format", "json"]


def test_the_program_runs_with_a_collector_that_leaves_its_modules_alone(folder: Path) -> None:
    done = processes.run([sys.executable, "-c", PROGRAM, *arguments(folder)], check=True)
    assert json.loads(done.stdout) == [{"name": "one"}]
    assert done.stderr.split() == ["True", "True"]


def test_the_collector_of_another_process_is_left_as_it_is(folder: Path) -> None:
    frozen = gc.get_freeze_count()
    gc.disable()
    try:
        result = CliRunner().invoke(app, arguments(folder))
        assert result.exit_code == 0, result.output
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert gc.get_freeze_count() == frozen
