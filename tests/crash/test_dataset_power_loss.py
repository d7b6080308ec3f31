"""Power is lost at every step of a dataset's writes: acknowledged versions are there; none is seen in part."""

from __future__ import annotations

from pathlib import Path

from crash.faulty import FaultyFs, PowerLossError
from crash.test_power_loss import release
from store.kit import FakeClock, open_store
from tracestore.store import Store
from tracestore.store.datasets import dataset_heads

ROWS = 5


def write(store: Store, acknowledged: list[set[str]]) -> None:
    for number in range(3):
        names = {f"{number}-{row}" for row in range(ROWS)}
        store.datasets.add("d", [{"id": name, "input": number} for name in sorted(names)])
        acknowledged.append(names)
        if number == 1:
            store.flush()
    store.datasets.delete("d", ["0-0"])
    acknowledged[0].remove("0-0")


def run(folder: Path, shadow: Path, die_at: int | None) -> tuple[FaultyFs, list[set[str]]]:
    acknowledged: list[set[str]] = []
    fs = FaultyFs(folder, shadow, die_at)
    store: Store | None = None
    try:
        store = open_store(folder, fs=fs, clock=FakeClock())
        write(store, acknowledged)
    except PowerLossError:
        pass
    finally:
        if store is not None:
            release(store)
    return fs, acknowledged


def check(store: Store, acknowledged: list[set[str]]) -> None:
    found = store.datasets.list()
    heads = set(dataset_heads.read_heads(store._core, found[0])) if found else set()
    assert len(heads) == (found[0].rows if found else 0)
    for number in range(3):
        part = {name for name in heads if name.startswith(f"{number}-")}
        whole = {f"{number}-{row}" for row in range(ROWS)}
        if number < len(acknowledged):
            # The deletion of one row may have been committed and not answered.
            assert part | {"0-0"} == acknowledged[number] | {"0-0"} or part == acknowledged[number]
        else:
            assert part in (set(), whole), "a version is seen in part"


def test_at_every_step(tmp_path: Path) -> None:
    whole, acknowledged = run(tmp_path / "whole", tmp_path / "shadow", None)
    assert len(acknowledged) == 3
    assert len(whole.steps) > 15
    for die_at in range(len(whole.steps) + 1):
        base = tmp_path / str(die_at)
        fs, acknowledged = run(base / "live", base / "shadow", die_at)
        for name, rebuild in (("lost", fs.after_power_loss), ("kept", fs.after_kill)):
            folder = base / name
            folder.mkdir()
            rebuild(folder)
            with open_store(folder, clock=FakeClock()) as store:
                check(store, acknowledged)
                before = store.datasets.list()
                report = store.datasets.add("d", [{"id": "after", "input": 1}])
                assert report.rows == (before[0].rows if before else 0) + 1
                store.flush()
            with open_store(folder, clock=FakeClock()) as store:
                assert store.datasets.get("d").rows == report.rows
                assert (
                    len(dataset_heads.read_heads(store._core, store.datasets.get("d")))
                    == report.rows
                )
