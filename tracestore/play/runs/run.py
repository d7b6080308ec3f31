"""A run of a play: what was asked for, and how far it is."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is to be run.

    Attributes:
        what: every cell, or those that have no result of what they are now.
        columns, rows: which of them, None for all.
    """

    what: Literal["all", "changed"]
    columns: Collection[str] | None = None
    rows: Collection[str] | None = None


@dataclass(slots=True)
class Run:
    """A run, from its first cell to its last.

    Attributes:
        experiments: of each of its columns, the last that cells were added to.
        columns: of each of its experiments; a column that changes under way begins another.
    """

    run_id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: Literal["running", "done", "stopped"] = "running"
    cells: int = 0
    done: int = 0
    failed: int = 0
    running: int = 0
    cost: float = 0.0
    started_s: float = 0.0
    ended_s: float | None = None
    experiments: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)

    def shown(self, now_s: float) -> dict[str, Any]:
        """Returns it as the API gives it."""
        waiting = self.cells - self.done - self.failed - self.running
        return {
            "run_id": self.run_id,
            "state": self.state,
            "cells": self.cells,
            "done": self.done,
            "failed": self.failed,
            "running": self.running,
            "waiting": max(0, waiting) if self.state == "running" else 0,
            "cost": self.cost,
            "seconds": (self.ended_s or now_s) - self.started_s,
            "experiments": self.experiments,
        }
