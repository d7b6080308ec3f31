"""The watch of a store's alerts: the thread that looks and the one that sends, started and ended together."""

from __future__ import annotations

from collections.abc import Callable

from tracestore.alerts.courier import Courier
from tracestore.alerts.evaluator import Ask, Evaluator
from tracestore.outbound.fence import Fence
from tracestore.store import Documents


class AlertWatch:
    """The evaluator and the courier of a store.

    Args:
        documents: has the alerts.
        ask: runs a statement.
        address: of the server, for links.
        fence: judges where webhooks are.
        leads: tells whether this process looks and sends: of several nodes one does.
    """

    def __init__(
        self,
        documents: Documents,
        ask: Ask,
        address: str,
        fence: Fence,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._courier = Courier(documents, address, fence, leads)
        self._evaluator = Evaluator(documents, ask, self._courier.wake, leads=leads)

    def start(self) -> None:
        """Starts both threads; what was not sent before the last end is sent."""
        self._courier.start()
        self._evaluator.start()

    def stop(self) -> None:
        """Ends both threads."""
        self._evaluator.stop()
        self._courier.stop()

    def changed(self) -> None:
        """Has a changed list of alerts seen at once."""
        self._evaluator.wake()

    def told(self) -> None:
        """Has an event sent at once."""
        self._courier.wake()
