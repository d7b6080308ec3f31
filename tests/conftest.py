"""Sets up what all tests share: hypothesis profiles, who runs which test, and that neither a process nor an event loop
outlives its module.

HYPOTHESIS_PROFILE=long looks harder (nightly); the default is quick enough for every run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from data import scheduling

_COMMON = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", _COMMON, max_examples=40)
settings.register_profile("long", _COMMON, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Has what takes long begin first."""
    scheduling.long_first(items, config.rootpath)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.ByModule:
    """Has one process run all tests of a module."""
    return scheduling.ByModule(config, log)


LONG_LIVED = (
    "multiprocessing.resource_tracker",
    "multiprocessing.forkserver",
    "engine_process.fork_server",
    "pyspark-shell",
)


def child_processes() -> dict[int, str]:
    """Returns the processes that this one started and has not waited for, with their commands.

    Helpers that live as long as their interpreter are left out: Python's own for shared memory and for forking,
    the one that starts engine processes, and Spark, which is one for all tests. Empty on systems without /proc.
    """
    found = {}
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in children.read_text().split():
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                if not any(name in command for name in LONG_LIVED):
                    found[int(pid)] = command
    return found


@pytest.fixture(scope="module", autouse=True)
def _no_process_outlives_its_module() -> Iterator[None]:
    before = child_processes()
    yield
    left = {pid: text for pid, text in child_processes().items() if pid not in before}
    assert left == {}, "a test started a process and did not end it or wait for it"


@pytest.fixture(scope="module", autouse=True)
def _no_event_loop_outlives_its_module() -> Iterator[None]:
    yield
    # The public function raises where no loop runs, which is what is wanted here.
    with contextlib.suppress(RuntimeError):
        loop = asyncio.get_running_loop()
        pytest.fail(
            f"a test left {loop} running in this thread; asyncio.run() of later tests fails"
        )
