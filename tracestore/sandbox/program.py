"""The program of the sandbox: it keeps one interpreter and answers what it is asked, one call at a time.

A `Lane` starts it, with the number of its end of a socket, the interpreter, and a program that confines itself and
becomes the interpreter. When the socket is closed, it ends. It is not trusted by who
starts it: what it reads comes from code of anybody. The interpreter runs in a process below it, with fewer rights.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from pydantic_monty import (
    CollectString,
    Monty,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
)

from tracestore.sandbox import confinement, frames
from tracestore.sandbox.bounds import (
    CALLS_PER_WORKER,
    GRACE_S,
    MAX_DEPTH,
    MAX_MESSAGE_CHARACTERS,
    MAX_RECURSION,
    OPEN_FILES,
    SPEAKER_DATA_BYTES,
    Bounds,
)
from tracestore.sandbox.outcome import Checked, Failure, Kind, Outcome
from tracestore.sandbox.source_code import read_code, without_futures

_CALL: Final = """

import json as _sandbox_json
_sandbox_json.dumps({function}(**_sandbox_arguments))
"""
"""Runs after the code. The result leaves as a text, which the interpreter makes within its bounds."""

_POLICY: Final[Any] = {"sleep": "zero", "timezone": "utc", "process_time": "zero"}

_MAX_SUSPENSIONS: Final = 100
"""Times that code may ask for what is not there: a name, a file."""

_KINDS: Final[Mapping[str, Kind]] = {
    "TimeoutError": "time",
    "MemoryError": "memory",
    "RecursionError": "recursion",
}


_NOT_TAKEN: Final = "NotImplementedError: The monty syntax parser does not yet support"
"""How the interpreter begins to say which part of the language it does not have."""


def main() -> None:
    """Answers until the other end is closed."""
    descriptor, interpreter, command = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    with open(descriptor, "rb", buffering=0) as source:
        _confine(command, interpreter)
        with Monty(
            binary_path=command,
            min_processes=1,
            max_processes=1,
            max_checkouts_per_worker=CALLS_PER_WORKER,
            feed_duration_limit_grace=GRACE_S,
        ) as pool:
            _send(descriptor, {"ready": True})
            while (request := frames.read(source.read)) is not None:
                _send(descriptor, _answer(pool, request))


def _send(descriptor: int, message: Mapping[str, Any]) -> None:
    left = memoryview(frames.encoded(message))
    while left:
        left = left[os.write(descriptor, left) :]


def _confine(command: str, interpreter: str) -> None:
    """Takes from this process what it does not need to speak with a worker and to start another one."""
    confinement.limit_resources(
        {resource.RLIMIT_DATA: SPEAKER_DATA_BYTES, resource.RLIMIT_NOFILE: OPEN_FILES}
    )
    confinement.forbid_new_rights()
    programs = ("/bin", "/usr", "/lib", "/lib64", "/nix/store", sys.prefix, sys.executable)
    readable = ("/etc/ld.so.cache", "/dev/null", *filter(None, sys.path))
    confinement.restrict_files(readable, (*programs, command, interpreter))
    confinement.filter_calls(starts_programs=True)


def _answer(pool: Monty, request: Mapping[str, Any]) -> dict[str, Any]:
    bounds = Bounds(**request["bounds"])
    code = request["code"]
    checked = read_code(code)
    if request["act"] == "check":
        if checked.failure is None:
            tried = _called(pool, code, "", {}, bounds)
            checked = Checked(checked.functions, tried.failure) if tried.failure else checked
        return dataclasses.asdict(checked)
    if checked.failure is not None:
        return dataclasses.asdict(Outcome(failure=checked.failure))
    function = checked.function(request["function"])
    if function is None:
        failure = Failure("syntax", f"the code has no function {request['function']!r}")
        return dataclasses.asdict(Outcome(failure=failure))
    arguments = request["arguments"]
    if not function.takes_any:
        known = {each.name for each in function.parameters}
        arguments = {name: value for name, value in arguments.items() if name in known}
    outcome = _called(pool, code, function.name, arguments, bounds)
    if outcome.failure is not None and outcome.failure.line is None:
        failure = dataclasses.replace(outcome.failure, line=function.line)
        outcome = dataclasses.replace(outcome, failure=failure)
    return dataclasses.asdict(outcome)


def _called(
    pool: Monty, code: str, function: str, arguments: Mapping[str, Any], bounds: Bounds
) -> Outcome:
    """Returns what became of a function's call; without a name the code alone is run."""
    printed = CollectString(max_bytes=bounds.output_bytes)
    lines = code.count("\n") + 1
    text = without_futures(code) + (_CALL.format(function=function) if function else "\n\nNone\n")
    started = time.perf_counter()
    value: Any = None
    failure: Failure | None = None
    try:
        with pool.checkout(limits=_limits(bounds), os_policy=_POLICY) as session:
            returned = session.feed_run(
                text, inputs={"_sandbox_arguments": dict(arguments)}, print_callback=printed
            )
        if function:
            value, failure = _read(returned, bounds)
    except MontyError as error:
        failure = _failure(error, lines, time.perf_counter() - started, bounds)
    seconds = time.perf_counter() - started
    return Outcome(value, printed.output[: bounds.output_bytes], seconds, failure)


def _limits(bounds: Bounds) -> Any:
    return {
        "max_feed_duration_secs": bounds.time_s,
        "max_memory": bounds.memory_bytes,
        "max_recursion_depth": MAX_RECURSION,
        "max_suspensions": _MAX_SUSPENSIONS,
    }


def _read(returned: Any, bounds: Bounds) -> tuple[Any, Failure | None]:
    """Returns the value that a result's text spells; code may have put something else in its place."""
    if not isinstance(returned, str):
        return None, Failure("output", "its result is no JSON")
    if len(returned) > bounds.output_bytes:
        return None, Failure(
            "output",
            f"its result has {len(returned)} characters as JSON; want at most {bounds.output_bytes}",
        )
    try:
        value = json.loads(returned, parse_constant=_no_number)
        depth = _depth(value)
    except (ValueError, RecursionError) as error:
        return None, Failure("output", f"its result is no JSON: {error}"[:MAX_MESSAGE_CHARACTERS])
    if depth > MAX_DEPTH:
        return None, Failure("output", f"its result is nested deeper than {MAX_DEPTH} levels")
    return value, None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def _failure(error: MontyError, lines: int, seconds: float, bounds: Bounds) -> Failure:
    if isinstance(error, MontyCrashedError):
        if error.timed_out or seconds >= bounds.time_s:
            return Failure("time", f"it ran longer than {bounds.time_s:g} s")
        return Failure("ended", "the interpreter ended over it")
    if not isinstance(error, MontySyntaxError | MontyRuntimeError):
        return Failure("input", f"cannot give its arguments: {error}"[:MAX_MESSAGE_CHARACTERS])
    line, in_call = _line(error, lines)
    told = error.display("type-msg")[:MAX_MESSAGE_CHARACTERS]
    name = told.partition(":")[0].strip()
    if isinstance(error, MontySyntaxError) or told.startswith(_NOT_TAKEN):
        told = told.removeprefix(_NOT_TAKEN).strip()
        return Failure("syntax", f"the sandbox does not take {told}", line)
    kind = _KINDS.get(name, "error")
    if kind == "time" and seconds < bounds.time_s * 0.9:
        kind = "error"
    if kind == "time":
        told = f"it ran longer than {bounds.time_s:g} s"
    elif in_call and name == "TypeError" and "JSON" in told:
        return Failure("output", f"its result is no JSON: {told.partition(':')[2].strip()}")
    return Failure(kind, told, line)


def _line(error: MontySyntaxError | MontyRuntimeError, lines: int) -> tuple[int | None, bool]:
    """Returns the line of the code in which an error arose, and whether it arose after the code."""
    places = [frame.line for frame in error.traceback()]
    inside = [place for place in places if place <= lines]
    return (inside[-1] if inside else None), bool(places) and places[-1] > lines
