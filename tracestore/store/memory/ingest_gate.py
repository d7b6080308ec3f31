"""The gate that many writes pass together and a flush passes alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class IngestGate:
    """A lock that writers of rows share, and that a flush takes alone without starving."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Holds the gate together with others."""
        with self._state:
            while self._closed:
                self._state.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._state:
                self._inside -= 1
                self._state.notify_all()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the gate alone: waits for those inside, while new ones wait outside."""
        with self._state:
            while self._closed:
                self._state.wait()
            self._closed = True
            while self._inside:
                self._state.wait()
        try:
            yield
        finally:
            with self._state:
                self._closed = False
                self._state.notify_all()
