"""An export that is killed at any byte or step and taken up again gives the bytes of one that ran through.

TRACESTORE_EXPORT_KILLS=500 kills that many; the default is quick enough for every run.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pyarrow.fs as pafs
import pytest

import tracestore
from crash.export_killed import export_and_die, run
from data import processes
from store import servers
from tracestore import Store
from tracestore.object_stores import connect

KILLS = int(os.environ.get("TRACESTORE_EXPORT_KILLS", "10"))
SEED = 7
ROWS = 12_000

OUTPUTS = [
    ("one.jsonl", None),
    ("one.csv", None),
    ("one.parquet", None),
    ("one.arrow", None),
    ("many", "jsonl"),
    ("many", "csv"),
    ("many", "parquet"),
    ("many", "arrow"),
]

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tracestore.embedded", "tracestore.exports"])


@pytest.fixture(scope="module", autouse=True)
def _server_of_processes() -> Iterator[None]:
    """Ends the process that forks the killed ones."""
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a store that nobody writes to any more."""
    path = tmp_path_factory.mktemp("killed") / "store"
    with tracestore.open(path) as store:
        store.insert(
            "spans",
            [
                {
                    "trace_id": f"{n // 4 + 1:032x}",
                    "span_id": f"{n + 1:016x}",
                    "start_ns": 1_790_000_000_000_000_000 + n,
                    "duration_ns": n,
                    "name": f'a "quoted"\nname {n % 50}',
                    "tags": ["a", str(n)],
                    "input": {"text": "ä" * (n % 90)},
                }
                for n in range(ROWS)
            ],
        )
        store.flush()
    return path


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    with tracestore.open(folder, "r") as opened:
        yield opened


def contents(output: str) -> dict[str, bytes]:
    """Returns the bytes of an output by the names of its files."""
    files: pafs.FileSystem
    if "://" in output:
        files, place = connect(output)
    else:
        files, place = pafs.LocalFileSystem(), output
    selector = pafs.FileSelector(place, recursive=True)
    single = files.get_file_info(place)
    infos = [single] if single.type == pafs.FileType.File else files.get_file_info(selector)
    found = {}
    for info in infos:
        with files.open_input_stream(info.path) as stream:
            found[info.base_name] = stream.read()
    return found


def killed(folder: Path, output: str, kind: str | None, moment: tuple[str, int]) -> bool:
    """Exports in a process that ends at the moment; tells whether it came to it."""
    child = PROCESSES.Process(target=export_and_die, args=(folder, output, kind, moment))
    child.start()
    child.join(processes.HANG_S)
    if child.is_alive():
        child.kill()
        child.join()
        pytest.fail("an export neither ended nor died")
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def moment_of(draw: random.Random, size: int) -> tuple[str, int]:
    if draw.random() < 0.7:
        return ("byte", draw.randrange(size))
    return (draw.choice(["state", "publish"]), draw.randrange(8))


def run_again(store: Store, output: str, kind: str | None, *, resume: bool) -> None:
    """Exports; asks again where the server still closes the upload that the killed process left."""
    for _ in range(9):
        try:
            return run(store, output, kind, resume=resume)
        except OSError:
            if "://" not in output:
                raise
    return run(store, output, kind, resume=resume)


def check_kills(folder: Path, store: Store, base: str, options: str, number: int) -> None:
    draw = random.Random(SEED)
    whole: dict[tuple[str, str | None], dict[str, bytes]] = {}
    for case in range(number):
        name, kind = OUTPUTS[case % len(OUTPUTS)]
        if (name, kind) not in whole:
            reference = f"{base}/whole-{kind}/{name}{options}"
            run(store, reference, kind, resume=False)
            whole[name, kind] = contents(reference)
        expected = whole[name, kind]
        output = f"{base}/case-{case}/{name}{options}"
        moment = moment_of(draw, sum(map(len, expected.values())))
        died = killed(folder, output, kind, moment)
        again = name == "many" or ("://" not in base and name.endswith((".jsonl", ".csv")))
        if died or name != "many":
            run_again(store, output, kind, resume=again)
        assert contents(output) == expected, (name, kind, moment)


def test_an_export_killed_at_any_byte_gives_the_same_bytes(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    check_kills(folder, store, str(tmp_path), "", KILLS)


def test_so_does_one_to_an_object_store(folder: Path, store: Store, tmp_path: Path) -> None:
    with servers.s3(tmp_path / "s3") as url:
        base, _, options = url.partition("?")
        check_kills(folder, store, base, f"?{options}", max(8, KILLS // 4))
