"""What the sandbox gives: values, what was printed, and failures with the line of the user's code."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tracestore.errors import SandboxError
from tracestore.sandbox.bounds import MAX_ARGUMENT_BYTES, Bounds
from tracestore.sandbox.outcome import Function, Parameter
from tracestore.sandbox.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = Sandbox(lanes=1)
    yield opened
    opened.close()


VALUES = [
    1.0, 0, -5, 2**53 + 1, True, None, "Grüße 🚀", "", [1, [2, {"a": None}]], {"score": 0.5, "name": "x"}, 1e-9, [],
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_go_in_and_come_back(sandbox: Sandbox, value: Any) -> None:
    outcome = sandbox.call("def f(v):\n    return [v, type(v).__name__]", "f", {"v": value})
    assert outcome.failure is None
    assert outcome.value == [value, type(value).__name__]


def test_arguments_that_a_function_does_not_declare_are_left_out(sandbox: Sandbox) -> None:
    code = "def f(output, expected=3):\n    return [output, expected]"
    outcome = sandbox.call(code, "f", {"input": 1, "output": 2, "metadata": {}})
    assert outcome.value == [2, 3]


def test_a_function_may_take_all_arguments(sandbox: Sandbox) -> None:
    outcome = sandbox.call("def f(**given):\n    return sorted(given)", "f", {"b": 1, "a": 2})
    assert outcome.value == ["a", "b"]


def test_what_it_prints_is_kept(sandbox: Sandbox) -> None:
    outcome = sandbox.call("def f():\n    print('a', 1)\n    print('b')\n    return 1", "f", {})
    assert outcome.printed == "a 1\nb\n"


def test_helpers_and_imports_serve(sandbox: Sandbox) -> None:
    code = (
        "import re\n\nWORD = re.compile('[a-z]+')\n\ndef words(t):\n    return WORD.findall(t)\n\n"
    )
    outcome = sandbox.call(code + "def f(t):\n    return len(words(t))", "f", {"t": "a bc d"})
    assert outcome.value == 3


FAILURES = [
    ("def f(:\n    return 1", "syntax", 1),
    ("x = 1\n\ndef f():\n  return 1\n   return 2", "syntax", 5),
    ("import os\ndef f():\n    return 1", "syntax", 1),
    ("def f():\n    x = 1\n    from socket import socket\n    return 1", "syntax", 3),
    ("def f():\n    x = 1\n    return x / 0", "error", 3),
    ("def g(x):\n    return x['a']\n\ndef f():\n    y = 1\n    return g({})", "error", 2),
    ("def f():\n    return undefined", "error", 2),
    ("x = 1 / 0\ndef f():\n    return 1", "error", 1),
    # The interpreter does not say where it was when its time was over: the function's line.
    ("\ndef f():\n    while True:\n        pass", "time", 2),
    ("def f():\n    return f()", "recursion", 2),
    ("def f():\n    x = []\n    while True:\n        x.append('a' * 1000)", "memory", 4),
    ("def f():\n    return {1, 2}", "output", 1),
    ("def f():\n    return 'a' * 1000000", "output", 1),
    ("def f():\n    return float('nan')", "output", 1),
    ("def f(missing):\n    return 1", "error", 1),
    ("def g():\n    return 1", "syntax", None),
]


@pytest.mark.parametrize(("code", "kind", "line"), FAILURES, ids=[each[0] for each in FAILURES])
def test_a_failure_has_its_kind_and_line(
    sandbox: Sandbox, code: str, kind: str, line: int | None
) -> None:
    # Time for a busy machine to come to what is meant.
    bounds = Bounds(time_s=0.3 if kind == "time" else 30.0)
    failure = sandbox.call(code, "f", {}, bounds).failure
    assert failure is not None
    assert (failure.kind, failure.line) == (kind, line), failure


def test_a_look_at_code_tells_its_functions(sandbox: Sandbox) -> None:
    code = (
        "LIMIT = 3\n\ndef _helper(x):\n    return x\n\n"
        'def f(a: int, b: list[str] | None = None, *, c=1, **more) -> float:\n    """Counts."""\n    return 1.0\n'
    )
    checked = sandbox.check(code)
    assert checked.failure is None
    assert checked.function("f") == Function(
        "f",
        6,
        (
            Parameter("a", True, "int"),
            Parameter("b", False, "list[str] | None"),
            Parameter("c", False),
        ),
        True,
        "Counts.",
    )
    assert [each.name for each in checked.functions] == ["_helper", "f"]


@pytest.mark.parametrize(
    "code", ["def f(x):\n    async with x:\n        pass\n", "def f(:", "raise ValueError('no')"]
)
def test_a_look_at_code_tells_the_line_that_is_not_taken(sandbox: Sandbox, code: str) -> None:
    failure = sandbox.check(code).failure
    assert failure is not None
    assert failure.line is not None


def test_arguments_that_are_too_large_are_refused_and_the_sandbox_stays(sandbox: Sandbox) -> None:
    huge = "a" * (2 * MAX_ARGUMENT_BYTES + 10)
    failure = sandbox.call("def f(a):\n    return 1", "f", {"a": huge}).failure
    assert failure is not None
    assert failure.kind == "input"
    assert sandbox.call("def f():\n    return 1", "f", {}).value == 1


def test_a_process_that_is_killed_is_replaced(sandbox: Sandbox) -> None:
    assert sandbox.call("def f():\n    return 1", "f", {}).value == 1
    for lane in sandbox._idle:
        os.kill(lane.pid, signal.SIGKILL)
        lane._process.wait()
    assert sandbox.call("def f():\n    return 2", "f", {}).value == 2


def test_bounds_beyond_reason_are_refused(sandbox: Sandbox) -> None:
    for time_s in (0.0, -1.0, 1e9):
        with pytest.raises(SandboxError, match="cannot run code for"):
            sandbox.call("def f():\n    return 1", "f", {}, Bounds(time_s=time_s))


def test_a_closed_sandbox_runs_nothing() -> None:
    closed = Sandbox()
    closed.close()
    with pytest.raises(SandboxError, match="closed"):
        closed.call("def f():\n    return 1", "f", {})
