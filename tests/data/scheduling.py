"""Who runs which test where several processes run them: a module's tests together, the long ones first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

LONG_FIRST: Final = (
    "tests/spark/",
    "tests/nodes/",
    "tests/ui/",
)
"""Folders whose modules take long: what begins last must be short, so that no process waits for another at the end."""

ONE_FOR_ALL: Final = ("tests/spark/",)
"""Folders whose modules share what takes longest to start: a JVM, and code that it compiles as it goes."""


class ByModule(LoadScopeScheduling):  # type: ignore[misc]  # has no types
    """The schedule of modules, each to one process, in the order of their collection: what tests share is made once."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::", 1)[0]
        return next((folder for folder in ONE_FOR_ALL if module.startswith(folder)), module)


def long_first(items: list[pytest.Item], root: PurePath) -> None:
    """Moves the tests of long modules to the front; else the order stays."""

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(root).as_posix()
        found: Sequence[int] = [
            at for at, folder in enumerate(LONG_FIRST) if path.startswith(folder)
        ]
        return found[0] if found else len(LONG_FIRST)

    items.sort(key=rank)
