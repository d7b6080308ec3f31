"""No test measures speed, sleeps or starts a program that may outlive it: one bound, against hanging."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
THE_STARTER = ROOT / "tests" / "data" / "processes.py"
# Calls that take a time to wait as their only positional argument.
WAITS = {"join", "result", "settimeout", "wait"}


def offences(text: str) -> Iterator[str]:
    """Yields each call that bounds a time by a number of its own, sleeps or starts a program."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rsplit(".", 1)[-1]
        times = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
        if name in WAITS:
            times += node.args[:1]
        if any(
            isinstance(time, ast.Constant) and isinstance(time.value, int | float) for time in times
        ):
            yield f"line {node.lineno} waits for {ast.unparse(times[0])}; use processes.HANG_S"
        if name == "sleep" and node.args and ast.unparse(node.args[0]) != "0":
            yield f"line {node.lineno} sleeps"
        if name == "Popen":
            yield f"line {node.lineno} starts a program; use processes.running"


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_is_true_on_any_machine(path: Path) -> None:
    if path != THE_STARTER:
        assert list(offences(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "call(body, timeout=60)",
        "enough.wait(60)",
        "thread.join(5)",
        "thread.join(timeout=5)",
        "future.result(30)",
        "time.sleep(0.1)",
        "subprocess.Popen(['x'])",
    ],
)
def test_a_planted_offence_is_found(line: str) -> None:
    assert list(offences(line))


@pytest.mark.parametrize(
    "line",
    [
        "','.join(parts)",
        "thread.join()",
        "enough.wait(processes.HANG_S)",
        "store.sql(text, timeout_s=0.2)",
        "call(body, timeout=None)",
    ],
)
def test_what_bounds_no_time_is_let_pass(line: str) -> None:
    assert list(offences(line)) == []
