"""Temporary files go with their process, also when it is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tracestore.scratch import ScratchFolder

PREFIX = "scratch-of-tests-"
OWNER = f"""
import pathlib, sys
from tracestore.scratch import ScratchFolder
folder = ScratchFolder({PREFIX!r}, sys.argv[1])
pathlib.Path(folder.name, "spilled").write_bytes(b"many")
print(folder.name, flush=True)
sys.stdin.read()
"""


def started(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """Returns a process that has a folder, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def ended(process: subprocess.Popen[str], *, kill: bool) -> None:
    if kill:
        process.kill()
    process.communicate()


def test_what_a_killed_process_leaves_is_removed_by_the_next_one(tmp_path: Path) -> None:
    killed, left = started(tmp_path)
    alive, kept = started(tmp_path)
    ended(killed, kill=True)
    assert (left / "spilled").exists()
    with ScratchFolder(PREFIX, str(tmp_path)) as own:
        assert not left.exists()
        assert (kept / "spilled").exists()
        # This process is one that is there, too.
        with ScratchFolder(PREFIX, str(tmp_path)):
            assert Path(own.name).exists()
    ended(alive, kill=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_lock_or_behind_a_link_is_left_alone(tmp_path: Path) -> None:
    killed, left = started(tmp_path)
    ended(killed, kill=True)
    elsewhere = tmp_path / "elsewhere"
    left.rename(elsewhere)
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}other").mkdir()
    (tmp_path / f"{PREFIX}file").write_text("")
    with ScratchFolder(PREFIX, str(tmp_path)):
        pass
    assert (elsewhere / "spilled").exists()
    assert (tmp_path / f"{PREFIX}other").exists()
    assert (tmp_path / f"{PREFIX}file").exists()
