"""What the operating system takes from the sandbox's processes, tried by a process that is not kept by the interpreter.

Each act is tried twice: in a process of its own, and in one that has confined itself as the sandbox does.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from data import processes
from tracestore.sandbox import confinement
from tracestore.sandbox.lane import Lane

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"},
    reason="the fences are Linux's",
)

ACTS = {
    "read a file": "open({file!r}).read()",
    "read the environment of another": "open('/proc/%d/environ' % os.getppid(), 'rb').read()",
    "write a file": "open({file!r}, 'w').write('x')",
    "make a file": "open({file!r} + '.new', 'w').write('x')",
    "make a folder": "os.mkdir({file!r} + '.d')",
    "list a folder": "os.listdir(os.path.dirname({file!r}))",
    "open a socket": "socket.socket()",
    "open a local socket": "socket.socketpair()",
    "make a process": "os.fork() or os._exit(0)",
    "start a program": "os.posix_spawn('/bin/true', ['true'], {{}})",
    "become a program": "os.execv('/bin/true', ['true']) if os.access('/bin/true', os.R_OK) else open('/bin/true')",
    "signal another": "os.kill(os.getppid(), 0)",
    "change its user": "os.setuid(0)",
    "change its root": "os.chroot('/')",
    "take much memory": "bytearray(1 << 31)",
}


def tried(act: str, *, confined: bool, file: Path) -> str:
    """Returns what came of an act: nothing, or the name of an error."""
    fences = textwrap.dedent(
        """
        import resource
        confinement.limit_resources({resource.RLIMIT_AS: 1 << 30, resource.RLIMIT_NOFILE: 64})
        confinement.forbid_new_rights()
        assert confinement.restrict_files((), ()) or FILES_CANNOT
        assert confinement.filter_calls(starts_programs=False)
        """
    )
    program = (
        "import ctypes, os, socket, sys\nsys.path.insert(0, sys.argv[1])\nimport confinement\n"
    )
    program += "FILES_CANNOT = confinement._LIBC.syscall(444, None, 0, 1) < 1\n"
    program += fences if confined else ""
    program += f"try:\n    {act.format(file=str(file))}\nexcept BaseException as error:\n"
    program += "    print(type(error).__name__)\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(Path(confinement.__file__).parent)],
        capture_output=True,
        text=True,
        timeout=processes.HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def lacks_landlock() -> bool:
    return bool(confinement._LIBC.syscall(444, None, 0, 1) < 1)


OF_FILES = {name for name in ACTS if "file" in name or "folder" in name or "environment" in name}


@pytest.mark.parametrize("name", sorted(set(ACTS) - {"take much memory", "change its root"}))
def test_a_confined_process_is_refused(name: str, tmp_path: Path) -> None:
    if name in OF_FILES | {"become a program"} and lacks_landlock():
        pytest.skip("this kernel has no Landlock")
    file = tmp_path / "file"
    file.write_text("secret")
    assert tried(ACTS[name], confined=True, file=file) in {
        "PermissionError", "OSError", "BlockingIOError", "FileNotFoundError",
    }  # fmt: skip
    assert file.read_text() == "secret"


@pytest.mark.parametrize("name", ["take much memory", "change its root"])
def test_a_confined_process_is_bounded(name: str, tmp_path: Path) -> None:
    assert tried(ACTS[name], confined=True, file=tmp_path / "file") in {
        "MemoryError",
        "PermissionError",
    }


@pytest.mark.parametrize("name", ["read a file", "write a file", "open a socket", "make a process"])
def test_the_same_is_allowed_without_the_fences(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not secret")
    assert tried(ACTS[name], confined=False, file=file) == ""


def test_the_interpreters_process_has_no_environment_and_few_rights() -> None:
    lane = Lane()
    try:
        # The interpreter answers, so that it has become what it is.
        asked = {"act": "check", "code": "", "bounds": {}}
        assert lane.ask(asked, processes.HANG_S)["failure"] is None
        children = Path(f"/proc/{lane.pid}/task/{lane.pid}/children").read_text().split()
        tasks = Path(f"/proc/{lane.pid}/task").glob("*/children")
        workers = sorted({*children, *(pid for task in tasks for pid in task.read_text().split())})
        assert workers
        for pid in workers:
            assert Path(f"/proc/{pid}/environ").read_bytes() == b""
            status = Path(f"/proc/{pid}/status").read_text()
            told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            assert told["NoNewPrivs"].strip() == "1"
            assert told["Seccomp"].strip() == "2"
            assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        speaker = Path(f"/proc/{lane.pid}/environ").read_bytes().split(b"\0")
        names = {entry.partition(b"=")[0] for entry in speaker if entry}
        assert names <= {b"LD_LIBRARY_PATH", b"LANG", b"LC_ALL"}
    finally:
        lane.close()
    for pid in workers:
        assert not Path(f"/proc/{pid}").exists() or is_ended(pid)


def is_ended(pid: str) -> bool:
    """Tells whether a process has ended, though its parent may not have asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True
