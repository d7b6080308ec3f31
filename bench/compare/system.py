"""What every system of the comparison does, and how its SQL is made of a question's template."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path as File
from typing import Any, ClassVar

from bench.compare.questions import Path, Workload

Rows = list[tuple[Any, ...]]

_NAME = re.compile(r"\{(\w+)\}")


class System(ABC):
    """One system with one workload in a folder of its own.

    Attributes:
        title: its name in the report.
        package: the installed package whose version the report gives.
        settings: what was set, for the report.
        loads: whether it takes the rows in at all; else it reads the file each time.
    """

    title: ClassVar[str]
    package: ClassVar[str]
    settings: ClassVar[str]
    loads: ClassVar[bool] = True

    def __init__(self, folder: File, workload: Workload, trace: str) -> None:
        self.folder = folder
        self.workload = workload
        self.trace = trace

    @abstractmethod
    def load(self, file: File) -> None:
        """Takes the rows of an NDJSON file; they are on disk and merged when this returns."""

    @abstractmethod
    def open(self) -> None:
        """Opens what was loaded."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of everything that is kept in memory."""

    @abstractmethod
    def ask(self, text: str) -> Rows:
        """Returns the answer of SQL in its own words."""

    def data_bytes(self) -> int:
        """Returns the bytes of its files."""
        return sum(each.stat().st_size for each in self.folder.rglob("*") if each.is_file())

    def question(self, name: str) -> str:
        """Returns a question in its own words."""
        return _NAME.sub(lambda found: self._word(found[1]), self.workload.questions[name])

    def _word(self, name: str) -> str:
        if name == "messages":
            return self.messages(self.workload.paths["messages"])
        if name in self.workload.paths:
            return self.path(name, self.workload.paths[name])
        if name == "trace":
            return self.trace
        word: str = getattr(self, name)()
        return word

    @abstractmethod
    def table(self) -> str:
        """Returns what stands in FROM."""

    @abstractmethod
    def path(self, name: str, path: Path) -> str:
        """Returns a path's value with its type."""

    @abstractmethod
    def messages(self, path: Path) -> str:
        """Returns what stands in FROM for one row an item of a list, with its `role`."""

    def bucket(self) -> str:
        """Returns the start of a span's five minutes as a number."""
        return "(start_ns - start_ns % 300000000000)"

    def hour(self) -> str:
        """Returns the hour of the day of an event."""
        time = self.path("time", self.workload.paths["time"])
        return f"({time} // 3600000000) % 24"

    def p95(self) -> str:
        """Returns the 95th percentile of durations."""
        return "quantile_cont(duration_ns, 0.95)"

    def whole(self) -> str:
        """Returns all of a row's JSON."""
        return ", ".join(self.workload.variants)
