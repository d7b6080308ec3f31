"""Compares systems side by side: `python -m bench.compare [--rows apm=100000 ...] [--systems ...] [--quick]`."""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.compare.questions import WORKLOADS
from bench.datagen import workloads
from bench.report import Result, keep, middle, show

ROWS = {"apm": 200_000, "llm": 8_000, "evolving": 100_000, "events": 200_000}
SYSTEMS = (
    *("tracestore", "clustered", "typed", "clickhouse", "variant-table"),
    *("variant-parquet", "json", "polars", "postgres"),
)
CLUSTERED_WORKLOADS = ("events",)
"""Workloads that the system `clustered` is asked of: ClickHouse sorts their rows by what is asked, too."""

ROOT = Path(__file__).resolve().parents[2]
WARM_ROUNDS = 7
COLD_ROUNDS = 3
# Seconds for one load or question of one system; it is left out from then on.
PATIENCE_S = 60.0

# From this many seconds on, a question is asked of a system fewer times, and from these on, once.
SLOW_S = 0.7
SLOW_ROUNDS = 3
ONCE_S = 5.0


class Remote:
    """A system in a process of its own."""

    def __init__(
        self, name: str, workload: str, folder: Path, trace: str, patience_s: float, tree: Path
    ) -> None:
        self.name = name
        self._patience_s = patience_s
        self.folder = folder / name
        command = [
            sys.executable,
            "-m",
            "bench.compare.worker",
            name,
            workload,
            str(self.folder),
            trace,
        ]
        rooms = (tree, tree / "ingest", tree / "query", tree / "tests")
        paths = os.pathsep.join(map(str, rooms))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONWARNINGS": "ignore"},
        )

    def do(self, *command: str) -> dict[str, Any]:
        """Returns what the worker answers; `cannot` where it failed or died."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise AssertionError("BUG: the worker has no pipes")
        try:
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], self._patience_s)
            if not ready:
                process.kill()
                return {"cannot": f"did not finish within {self._patience_s:.0f} s"}
            line = process.stdout.readline()
        except OSError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"cannot": "its process ended"}
        return answer

    def end(self) -> None:
        """Ends the worker and removes its files."""
        self.do("end")
        self._process.communicate(timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)


class Comparison:
    """One workload, run on several systems."""

    def __init__(
        self,
        workload: str,
        rows: int,
        folder: Path,
        patience_s: float = PATIENCE_S,
        tree: Path = ROOT,
    ) -> None:
        self._patience_s = patience_s
        self._tree = tree
        self._workload = workload
        self._label = f"{workload}, {rows:,} rows"
        self._rows = rows
        self._folder = folder
        self._about: dict[str, dict[str, Any]] = {}
        self.results: list[Result] = []

    def run(self, names: list[str]) -> None:
        """Loads and asks; every question is asked of all systems in turn."""
        file = self._folder / "rows.ndjson"
        trace = self._write(file)
        remotes = []
        for name in names:
            about = (self._workload, self._folder, trace, self._patience_s, self._tree)
            remote = Remote(name, *about)
            told = remote.do("about")
            if "cannot" in told:
                print(f"{name} is left out: {told['cannot']}", file=sys.stderr)
                continue
            self._about[name] = told
            if self._load(remote, file):
                remotes.append(remote)
            else:
                remote.end()
        for question in WORKLOADS[self._workload].questions:
            self._ask(remotes, question)
        for remote in remotes:
            peak_bytes = remote.do("peak").get("peak_bytes")
            if peak_bytes is not None and remote.name != "postgres":
                values = [peak_bytes / 1e6]
                self._note(remote, "memory", "peak resident after all questions", values, "MB")
            remote.end()

    def _write(self, file: Path) -> str:
        """Writes the rows and returns the id of a trace in the middle of them."""
        trace = ""
        with file.open("wb") as out:
            for number, batch in enumerate(workloads.ndjson(self._workload, self._rows)):
                out.write(batch)
                if number <= self._rows // workloads.BATCH_ROWS // 2:
                    trace = json.loads(batch[: batch.index(b"\n")]).get("trace_id", "")
        raw = file.stat().st_size / 1e6
        self.results.append(
            Result(self._label, "size", "rows as JSON", "", "bytes", raw, "MB", 0.0)
        )
        return trace

    def _load(self, remote: Remote, file: Path) -> bool:
        loaded = remote.do("load", str(file))
        if "cannot" in loaded:
            self._cannot(remote, "ingest", loaded["cannot"])
            return False
        if not self._about[remote.name]["loads"]:
            self._cannot(remote, "ingest", "loads nothing: it reads the file for each question")
            return True
        self._note(remote, "ingest", "rows a second", [self._rows / loaded["seconds"]], "1/s")
        if remote.name != "postgres":  # the server's CPU and memory are not the worker's
            cpu_s = loaded["cpu_s"] / self._rows * 1e6
            self._note(remote, "ingest", "CPU seconds a million rows", [cpu_s], "s")
            peak = loaded["peak_bytes"] / 1e6
            self._note(remote, "memory", "peak resident after ingest", [peak], "MB")
        self._note(remote, "size", "bytes", [loaded["data_bytes"] / 1e6], "MB")
        return True

    def _able(self, remotes: list[Remote], question: str) -> list[tuple[Remote, float]]:
        """Returns the systems that give the answer, with the seconds it took; asking warms them up, too."""
        first: list[Any] | None = None
        able = []
        for remote in remotes:
            answer = remote.do("ask", question)
            if "cannot" in answer:
                self._cannot(remote, question, answer["cannot"])
            elif first is not None and answer["rows"] != first:
                self._cannot(
                    remote, question, f"another answer: {answer['rows'][:2]}, not {first[:2]}"
                )
            else:
                first = answer["rows"]
                able.append((remote, answer["seconds"]))
        return able

    def _ask(self, remotes: list[Remote], question: str) -> None:
        able = self._able(remotes, question)
        once = {remote.name: took_s for remote, took_s in able if took_s >= ONCE_S}
        slow = {remote.name for remote, took_s in able if took_s >= SLOW_S}
        warm = {
            remote.name: [] if remote.name not in once else [once[remote.name] * 1e3]
            for remote, _ in able
        }
        cold: dict[str, list[float]] = {remote.name: [] for remote, _ in able}
        asked = [remote for remote, _ in able if remote.name not in once]
        for number in range(WARM_ROUNDS):
            for remote in asked:
                if remote.name not in slow or number < SLOW_ROUNDS:
                    warm[remote.name] += _milliseconds(remote.do("ask", question))
        for number in range(COLD_ROUNDS):
            for remote in asked:
                # PostgreSQL runs on: it is not opened anew.
                if remote.name != "postgres" and not (remote.name in slow and number):
                    cold[remote.name] += _milliseconds(remote.do("cold", question))
        for remote, _ in able:
            if warm[remote.name]:
                self._note(remote, question, "warm", warm[remote.name], "ms")
            if cold[remote.name]:
                self._note(remote, question, "cold", cold[remote.name], "ms")

    def _note(
        self, remote: Remote, question: str, metric: str, values: list[float], unit: str
    ) -> None:
        about = self._about[remote.name]
        value, spread = middle(values)
        self.results.append(
            Result(
                self._label, question, about["title"], about["version"], metric, value, unit, spread
            )
        )

    def _cannot(self, remote: Remote, question: str, why: str) -> None:
        about = self._about[remote.name]
        self.results.append(
            Result(
                self._label, question, about["title"], about["version"], "cannot", 0.0, "", 0.0, why
            )
        )

    def settings(self) -> list[Result]:
        """Returns what was set for each system, for the report."""
        return [
            Result("all", "settings", each["title"], each["version"], "settings", 0.0, "", 0.0, each["settings"])
            for each in self._about.values()
        ]  # fmt: skip


def _milliseconds(answer: dict[str, Any]) -> list[float]:
    """Returns how long an answer took, none where there is no answer any more."""
    return [answer["seconds"] * 1e3] if "seconds" in answer else []


def main() -> None:
    """Runs every workload, and writes results/<workload>.jsonl."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", nargs="*", default=[], metavar="WORKLOAD=ROWS")
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--patience", type=float, default=PATIENCE_S, metavar="SECONDS",
                        help="for one load or question of one system")  # fmt: skip
    parser.add_argument("--tree", type=Path, default=ROOT, help="a checkout whose code is asked")
    parser.add_argument("--quick", action="store_true", help="2,000 rows; nothing is written")
    chosen = parser.parse_args()
    wanted = dict(each.split("=") for each in chosen.rows) or {
        name: 2_000 if chosen.quick else rows for name, rows in ROWS.items()
    }
    for workload, rows in wanted.items():
        folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
        folder.chmod(0o755)  # PostgreSQL runs as another user
        try:
            comparison = Comparison(workload, int(rows), folder, chosen.patience, chosen.tree)
            is_clustered = workload in CLUSTERED_WORKLOADS
            systems = [each for each in chosen.systems if is_clustered or each != "clustered"]
            comparison.run(systems)
        finally:
            shutil.rmtree(folder)
        is_other = chosen.tree != ROOT
        keep(
            [*comparison.settings(), *comparison.results],
            workload,
            quick=chosen.quick or is_other,
        )
        show(comparison.results)


if __name__ == "__main__":
    main()
