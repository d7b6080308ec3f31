"""Measures this tree against an earlier commit: `python -m bench.before COMMIT [BENCHMARK ...]`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from bench.recorded import read
from bench.report import NOT_KEPT, Result, keep, machine, middle

HERE: Final = Path(__file__).resolve().parents[2]

BENCHMARKS: Final = {
    "service": ["--seconds", "60"],
    "shred": [],
    "store": ["--quick"],
    "query": ["--rows", "200000", "--point-rows", "200000"],
    "compare": ["--systems", "tracestore", "--rows", "apm=100000", "llm=8000", "events=100000"],
}
"""The arguments of each benchmark, for sizes at which a round takes minutes."""

FROM_HERE: Final = {"service": "--server", "compare": "--tree"}
"""Benchmarks of this tree that start the programs of both, and the option that names whose: they load both alike."""

PATIENCE_S: Final = 1800
"""Seconds that one run of one benchmark may take before it counts as hanging."""

KEPT_ROUNDS: Final = 3
"""Rounds from which on what was measured is kept: of fewer there is no spread."""

RESOLUTION: Final = 0.03
"""A part of a number: what lies nearer than this is the same, since code that moves in memory changes that much."""

OURS: Final = "tracestore"
EARLIER: Final = "tracestore before"
OF_EARLIER: Final = "x before"
"""The unit of a number of this tree in those of the earlier one."""

Key = tuple[str, str, str, str]
Numbers = dict[Key, list[float]]


def main() -> None:
    """Runs each benchmark in both trees by turns and prints what changed."""
    parser = argparse.ArgumentParser(prog="python -m bench.before", description=__doc__)
    parser.add_argument("commit", help="the earlier commit")
    parser.add_argument("benchmarks", nargs="*", help=f"of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each benchmark in each tree")
    chosen = parser.parse_args()
    unknown = set(chosen.benchmarks) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    print(f"# {machine()}; before: {chosen.commit}", flush=True)
    results: list[Result] = []
    with earlier_tree(chosen.commit) as before:
        for name in chosen.benchmarks or BENCHMARKS:
            numbers: tuple[Numbers, Numbers] = (defaultdict(list), defaultdict(list))
            units: dict[Key, str] = {}
            for turn in range(chosen.rounds):
                print(f"# {name}: round {turn + 1} of {chosen.rounds}", file=sys.stderr, flush=True)
                for tree, kept in zip((before, HERE), numbers, strict=True):
                    for key, value, unit in measured(tree, name):
                        kept[key].append(value)
                        units[key] = unit
            show(name, numbers, units)
            results += compared(name, chosen.commit, numbers, units)
    results += kept_of_others(read("before"), chosen.commit, chosen.benchmarks or BENCHMARKS)
    keep(results, "before", quick=chosen.rounds < KEPT_ROUNDS)


@contextlib.contextmanager
def earlier_tree(commit: str) -> Iterator[Path]:
    """Gives a checkout of a commit with its own kernels, and removes it at the end."""
    with tempfile.TemporaryDirectory(prefix="tracestore-before-") as folder:
        tree = Path(folder) / "tree"
        subprocess.run(
            ["git", "worktree", "add", "--quiet", "--detach", tree, commit], cwd=HERE, check=True
        )
        try:
            print("# building the kernels of the earlier commit", file=sys.stderr, flush=True)
            build = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
            subprocess.run(build, cwd=tree, check=True, stdout=subprocess.DEVNULL)
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=HERE, check=True)


def measured(tree: Path, name: str) -> Iterator[tuple[Key, float, str]]:
    """Yields the numbers of ours that one run of a benchmark prints."""
    command = [sys.executable, "-m", f"bench.{name}", *BENCHMARKS[name]]
    if name in FROM_HERE:
        command += [FROM_HERE[name], str(tree)]
    home = HERE if name in FROM_HERE else tree
    rooms = (home, home / "ingest", home / "query")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, rooms)),
        NOT_KEPT: "these are parts of this program's own results",
    }
    run = subprocess.run(
        command,
        cwd=home,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    for line in run.stdout.splitlines():
        if not line.startswith("{"):
            continue
        result = json.loads(line)
        # A ratio to another system moves with that system, and a note has no number.
        if (
            result["system"].startswith(OURS)
            and result["unit"]
            and not result["unit"].startswith("x")
        ):
            key = (result["workload"], result["question"], result["system"], result["metric"])
            yield key, result["value"], result["unit"]


def show(name: str, numbers: tuple[Numbers, Numbers], units: dict[Key, str]) -> None:
    """Prints a row for each number that both trees gave."""
    before, after = numbers
    print(f"\n## {name}\n")
    print(f"{'what':<70} {'before':>12} {'after':>12} {'unit':<9} {'ratio':>6} {'spread':>6}")
    for key in before:
        if key not in after:
            print(f"{' / '.join(key)[:70]:<70} {'gone':>12}")
            continue
        old, old_spread = middle(before[key])
        new, new_spread = middle(after[key])
        if not old or not new:
            continue
        ratio, spread = new / old, max(RESOLUTION, old_spread / old + new_spread / new)
        print(
            f"{' / '.join(key)[:70]:<70} {old:>12,.2f} {new:>12,.2f} {units[key]:<9} {ratio:>6.2f} "
            f"{spread:>6.2f}  {verdict(ratio, spread, units[key])}"
        )
    sys.stdout.flush()


def compared(
    name: str, commit: str, numbers: tuple[Numbers, Numbers], units: dict[Key, str]
) -> list[Result]:
    """Returns each number that both trees gave: of the earlier one, of this one, and this one's over the earlier's."""
    results = []
    before, after = numbers
    for key in before:
        if key not in after:
            continue
        workload, question, system, metric = key
        about = f"{name}: {workload}", question
        old, old_spread = middle(before[key])
        new, new_spread = middle(after[key])
        results += [
            Result(*about, EARLIER, commit, metric, old, units[key], old_spread),
            Result(*about, system, "", metric, new, units[key], new_spread),
        ]
        if old:
            spread = (old_spread / old + new_spread / new) * new / old if new else 0.0
            results.append(Result(*about, system, "", metric, new / old, OF_EARLIER, spread))
    return results


def kept_of_others(
    kept: list[Result], commit: str, benchmarks: Collection[str]
) -> Iterator[Result]:
    """Yields what earlier runs against the same commit kept of benchmarks that this run leaves out."""
    if {each.version for each in kept if each.system == EARLIER} == {commit}:
        for each in kept:
            name, is_measured, _ = each.workload.partition(": ")
            if is_measured and name not in benchmarks:
                yield each


def verdict(ratio: float, spread: float, unit: str) -> str:
    """Returns in words what a ratio of after to before means, given what the rounds spread over."""
    if abs(ratio - 1) <= spread:
        return "within spread"
    better = ratio > 1 if unit.endswith("/s") else ratio < 1
    return "better" if better else "WORSE"


if __name__ == "__main__":
    main()
