"""Deletes experiments of plays that nobody keeps, from time to time, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from tracestore.errors import TraceStoreError
from tracestore.play.runs.experiments import PlayExperiments

log = structlog.get_logger("tracestore.play")

EVERY_S: Final = 3600.0
"""Seconds between two looks: what expires does so by the day."""

STOP_S: Final = 10.0


class Sweep:
    """The thread that deletes what nobody keeps.

    Args:
        experiments: has the experiments of plays.
        forget: is told the project and name of each that is deleted.
    """

    def __init__(
        self, experiments: PlayExperiments, forget: Callable[[list[tuple[str, str]]], None]
    ) -> None:
        self._experiments = experiments
        self._forget = forget
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="play sweep", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the deletion that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def once(self) -> list[tuple[str, str]]:
        """Deletes what is due and returns the project and name of each."""
        gone = self._experiments.expire()
        for project, name in gone:
            log.info("a run that nobody keeps is deleted", project=project, experiment=name)
        if gone:
            self._forget(gone)
        return gone

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.once()
            except (TraceStoreError, OSError) as error:
                log.warning("runs that nobody keeps are not deleted", error=str(error))
            self._stopping.wait(EVERY_S)
