"""Hostile code in the sandbox: each case ends within its bound with a clear error, and learns and reaches nothing.

TRACESTORE_HOSTILE_CODE=all runs every case; by default a third of each kind is run.
"""

from __future__ import annotations

import getpass
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from security import hostile_code
from tracestore.sandbox.bounds import MAX_MESSAGE_CHARACTERS, PATIENCE_S, Bounds
from tracestore.sandbox.outcome import Outcome
from tracestore.sandbox.sandbox import Sandbox

BOUNDS = Bounds(time_s=0.25, memory_bytes=32 * 1024 * 1024, output_bytes=64 * 1024)
ARGUMENTS = {
    "input": {"question": "Where is it?"},
    "output": "In Bonn.",
    "expected": "Bonn",
    "metadata": {"n": 1},
}

# A machine that is busy gives a process its turn late; a call that does not end would take for ever.
MUCH_S = 60.0

CASES = hostile_code.cases()
KINDS = sorted({case.name.split()[0] for case in CASES})

EVERY_CASE = bool(os.environ.get("TRACESTORE_HOSTILE_CODE"))
FEW = 12
"""Cases of a kind that are all run."""

FINE = "def score(output, expected):\n    return 1.0 if expected in output else 0.0\n"


def place_names() -> list[str]:
    """Returns texts that say something of this machine."""
    names = [
        hostile_code.SECRET,
        str(Path.home()),
        sys.prefix,
        sys.executable,
        str(Path(__file__).parents[2]),
        socket.gethostname(),
        "site-packages",
        "tracestore/",
    ]
    if getpass.getuser() != "root":  # which stands in any list of users, and says nothing
        names.append(getpass.getuser())
    return [name for name in names if len(name) > 3]


@pytest.fixture(scope="module", autouse=True)
def _secret() -> Iterator[None]:
    secret = Path(hostile_code.SECRET_FILE)
    secret.write_text(hostile_code.SECRET)
    os.environ["TRACESTORE_SANDBOX_SECRET"] = hostile_code.SECRET
    yield
    del os.environ["TRACESTORE_SANDBOX_SECRET"]
    secret.unlink()
    written = Path(hostile_code.SECRET_FILE + ".new")
    assert not written.exists()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = Sandbox(lanes=2)
    yield opened
    opened.close()


def asked_of(kind: str) -> list[hostile_code.Hostile]:
    """Returns cases of a kind: a third of many, drawn once for all runs."""
    cases = [case for case in CASES if case.name.split()[0] == kind]
    count = len(cases) if EVERY_CASE else max(min(FEW, len(cases)), len(cases) // 3)
    return random.Random(kind).sample(cases, count)


def run(sandbox: Sandbox, case: hostile_code.Hostile) -> tuple[Outcome, float]:
    started = time.monotonic()
    outcome = sandbox.call(case.code, "score", ARGUMENTS, BOUNDS)
    return outcome, time.monotonic() - started


def wrong_with(case: hostile_code.Hostile, outcome: Outcome, seconds: float) -> Iterator[str]:
    """Yields what an outcome must not be."""
    failure = outcome.failure
    if failure is None and not case.may_answer:
        yield f"gave {str(outcome.value)[:80]!r}"
    if failure is not None:
        if not failure.message.strip() or len(failure.message) > MAX_MESSAGE_CHARACTERS + 50:
            yield f"its message has {len(failure.message)} characters"
        if failure.kind == "error" and failure.line is None:
            yield f"no line: {failure.message}"
    if outcome.seconds > BOUNDS.time_s + PATIENCE_S or seconds > MUCH_S:
        yield f"took {outcome.seconds:.2f} s, {seconds:.1f} s in all"
    told = f"{outcome.value} {outcome.printed} {failure}"
    yield from (f"says {name!r}" for name in place_names() if name in told)
    if "root:" in told or "PATH" in told:
        yield "read a file or the environment"


def test_there_are_enough_of_each_kind() -> None:
    assert len(CASES) >= 200
    assert {"loop", "memory", "recursion", "look", "file", "import", "output", "raise"} <= set(
        KINDS
    )


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_code_ends_and_learns_nothing(sandbox: Sandbox, kind: str) -> None:
    cases = asked_of(kind)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda case: run(sandbox, case), cases))
    wrong = {
        case.name: problems
        for case, (outcome, seconds) in zip(cases, outcomes, strict=True)
        if (problems := list(wrong_with(case, outcome, seconds)))
    }
    assert wrong == {}
    # Whatever was done to it, the sandbox works on.
    assert sandbox.call(FINE, "score", ARGUMENTS).value == 1.0


LEAVES = {
    "global": ("mark = 'left behind'", "return mark"),
    "global by name": ("globals()['mark'] = 'left behind'", "return globals()['mark']"),
    "module": ("import math\nmath.mark = 'left behind'", "import math\nreturn math.mark"),
    "module's function": (
        "import json\njson.dumps = lambda *a, **k: '\"left behind\"'",
        "import json\nreturn json.dumps(1)",
    ),
    "builtins": ("__builtins__.mark = 'left behind'", "return __builtins__.mark"),
    "class": ("int.mark = 'left behind'", "return int.mark"),
    "argument": ("input['mark'] = 'left behind'", "return input['mark']"),
    "default": ("score.mark = 'left behind'", "return score.mark"),
    "sandbox's names": ("_sandbox_json = 'left behind'", "return str(_sandbox_arguments)"),
    "random": ("import random\nrandom.seed(1)", "import random\nreturn 'left behind'[:random.getstate() is None]"),
    "printed": ("print('left behind')", "return ''"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEAVES)
def test_nothing_of_one_call_is_seen_by_the_next(kind: str) -> None:
    leave, look = LEAVES[kind]
    arguments = {"input": {"mine": 1}}
    sandbox = Sandbox(lanes=1)
    try:
        left = hostile_code.function(f"{leave}\nreturn 1.0").replace(
            "input, output, expected, metadata", "input"
        )
        sandbox.call(left, "score", {"input": {"secret": "left behind"}})
        seen = sandbox.call(
            hostile_code.function(look).replace("input, output, expected, metadata", "input"),
            "score",
            arguments,
        )
    finally:
        sandbox.close()
    assert "left behind" not in f"{seen.value} {seen.printed} {seen.failure}"
