"""What conventions cost the shredder: `python -m bench.shred.conventions [--quick] [--before COMMIT]`.

Shreds the same spans with conventions off and on, in turns, and prints how much longer it takes with them on. With
`--before` it shreds with conventions on in an earlier commit and in this tree, in turns, each in processes of its own,
and prints how much longer this tree takes.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
from typing import Final

from bench.before.__main__ import HERE, earlier_tree
from bench.datagen import calls, spans
from bench.report import Result, interleaved, machine, middle, show
from tracestore.variant import Shredder

ROUNDS: Final = 15
# Of one process: the best of these is its time, since what disturbs a measurement makes it longer.
RUNS: Final = 5

WORKER: Final = """
import json, pickle, sys, time, gc
from tracestore.variant import Shredder
workloads, runs = pickle.load(open(sys.argv[1], "rb")), int(sys.argv[2])
gc.disable()
best = {}
for name, bodies in workloads.items():
    for _ in range(runs + 1):
        start = time.perf_counter()
        shredder = Shredder(table="spans", conventions=True)
        for body in bodies:
            shredder.append_otlp(body, signal="traces")
        seconds = time.perf_counter() - start
        best[name] = min(seconds, best.get(name, seconds))
print(json.dumps(best))
"""


def workloads(scale: float) -> dict[str, list[bytes]]:
    """Returns bodies by what is in them."""
    return {
        "small spans, no model": spans.small_spans(int(16_384 * scale)),
        "50 KB calls, GenAI conventions": spans.llm_spans(int(192 * scale) or 1),
        "2 KB calls, numbered keys": calls.numbered(int(4_096 * scale)),
        "2 KB calls, GenAI conventions": calls.messages(int(4_096 * scale)),
    }


def shred(bodies: list[bytes], *, conventions: bool) -> Shredder:
    """Appends bodies and leaves them in the builder: what a request waits for."""
    shredder = Shredder(table="spans", conventions=conventions)
    for body in bodies:
        shredder.append_otlp(body, signal="traces")
    return shredder


def off_and_on(loads: dict[str, list[bytes]], rounds: int) -> list[Result]:
    """Returns by workload how much longer spans take with conventions on."""
    results = []
    for name, bodies in loads.items():
        times = interleaved(
            {
                "off": lambda bodies=bodies: shred(bodies, conventions=False),  # type: ignore[misc]
                "on": lambda bodies=bodies: shred(bodies, conventions=True),  # type: ignore[misc]
            },
            rounds,
        )
        results += _compared(name, "conventions on over off", times["off"], times["on"], bodies)
    return results


def since(loads: dict[str, list[bytes]], commit: str, rounds: int) -> list[Result]:
    """Returns by workload how much longer this tree takes than an earlier commit."""
    times: dict[str, dict[str, list[float]]] = {name: {"a": [], "b": []} for name in loads}
    with earlier_tree(commit) as tree, tempfile.NamedTemporaryFile() as file:
        pickle.dump(loads, file)
        file.flush()
        for _ in range(rounds):
            for side, checkout in (("a", tree), ("b", HERE)):
                done = subprocess.run(
                    [sys.executable, "-P", "-c", WORKER, file.name, str(RUNS)],
                    env={**os.environ, "PYTHONPATH": str(checkout)},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                for name, seconds in json.loads(done.stdout).items():
                    times[name][side].append(seconds)
    what = f"this tree over {commit}"
    return [
        result
        for name, bodies in loads.items()
        for result in _compared(name, what, times[name]["a"], times[name]["b"], bodies)
    ]


def _compared(
    name: str, what: str, before: list[float], after: list[float], bodies: list[bytes]
) -> list[Result]:
    size_mb = sum(map(len, bodies)) / 1e6
    made = []
    for metric, values, unit in (
        ("throughput, first", [size_mb / seconds for seconds in before], "MB/s"),
        ("throughput, second", [size_mb / seconds for seconds in after], "MB/s"),
        ("longer", [100 * (b / a - 1) for a, b in zip(before, after, strict=True)], "%"),
    ):
        value, spread = middle(values)
        made.append(Result(name, "conventions", what, "", metric, value, unit, spread))
    return made


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.shred.conventions")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--before", metavar="COMMIT", help="an earlier commit")
    given = parser.parse_args()
    loads = workloads(0.1 if given.quick else 1)
    rounds = 3 if given.quick else ROUNDS
    print(f"{machine()}\n")
    show(off_and_on(loads, rounds) if given.before is None else since(loads, given.before, rounds))


if __name__ == "__main__":
    main()
