"""Temporary files go with their process, also when it is killed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from data import processes
from tracestore.store import ScratchFolder

PREFIX = "scratch-of-tests-"
OWNER = f"""
import pathlib, sys
from tracestore.store import ScratchFolder
folder = ScratchFolder({PREFIX!r}, sys.argv[1])
pathlib.Path(folder.name, "spilled").write_bytes(b"many")
print(folder.name, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def owner(parent: Path) -> Iterator[Path]:
    """Runs a process that has a folder, which is yielded; kills it at the end."""
    command = [sys.executable, "-P", "-c", OWNER, str(parent)]
    with processes.running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield Path(process.stdout.readline().strip())


def test_what_a_killed_process_leaves_is_removed_by_the_next_one(tmp_path: Path) -> None:
    with owner(tmp_path) as left:
        pass
    assert (left / "spilled").exists()
    with owner(tmp_path) as kept, ScratchFolder(PREFIX, str(tmp_path)) as own:
        assert not left.exists()
        # This process is one that is there, too.
        with ScratchFolder(PREFIX, str(tmp_path)):
            assert Path(own.name).exists()
            assert (kept / "spilled").exists()
    with ScratchFolder(PREFIX, str(tmp_path)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_lock_or_behind_a_link_is_left_alone(tmp_path: Path) -> None:
    with owner(tmp_path) as left:
        pass
    elsewhere = left.rename(tmp_path / "elsewhere")
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}other").mkdir()
    (tmp_path / f"{PREFIX}file").write_text("")
    with ScratchFolder(PREFIX, str(tmp_path)):
        pass
    assert (elsewhere / "spilled").exists()
    assert (tmp_path / f"{PREFIX}other").exists()
    assert (tmp_path / f"{PREFIX}file").exists()
