"""Publishing when asked, and again and again by a thread of a server."""

from __future__ import annotations

import importlib
import logging
import threading
from dataclasses import dataclass
from typing import Any, Final

from tracestore.errors import StoreClosedError, TraceStoreError
from tracestore.store import Store

logger = logging.getLogger(__name__)

KEEP_S: Final = 86_400.0
"""Age in seconds at which snapshots are forgotten: a reader that began yesterday has ended."""

STOP_S: Final = 30.0
"""Seconds that the end waits for a publication under way: what it leaves is made good the next time."""


@dataclass(slots=True)
class PublishReport:
    """The result of a publication.

    Attributes:
        tables: those that are published, and `changed` those that have a new snapshot.
        added, removed: files that tables name now, and that they name no more.
        rows: that the tables have now.
        deleted_files: files of merged and deleted segments that nothing names any more.
    """

    tables: int = 0
    changed: int = 0
    added: int = 0
    removed: int = 0
    rows: int = 0
    deleted_files: int = 0


class Publisher:
    """What publishes a store. Thread-safe; one publication at a time.

    Args:
        store: open for writing.
        every_s: seconds between two publications of the thread, None for no thread.
        keep_s: age in seconds at which a snapshot that is not the newest is forgotten.
    """

    def __init__(self, store: Store, every_s: float | None = None, keep_s: float = KEEP_S) -> None:
        if every_s is not None:
            _publishing()
        self._store = store
        self._every_s = every_s
        self._keep_s = keep_s
        self._one = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="iceberg", daemon=True)

    def publish(self) -> PublishReport:
        """Brings the published tables up to all that was acknowledged before."""
        publishing = _publishing()
        with self._one:
            report: PublishReport = publishing.publish(self._store, self._keep_s)
            return report

    def start(self) -> None:
        """Starts the thread, if there is to be one; its first publication is at once."""
        if self._every_s is not None:
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.publish()
            except StoreClosedError:
                return
            except Exception:
                logger.exception("cannot publish to Iceberg")
            self._stopping.wait(self._every_s)


def _publishing() -> Any:
    """Returns the module that publishes; it needs packages of its own."""
    try:
        return importlib.import_module("tracestore.iceberg.publishing")
    except ModuleNotFoundError as error:
        raise TraceStoreError(
            f"cannot publish to Iceberg: {error.name} is not installed; pip install 'tracestore[iceberg]'"
        ) from None
