"""Live arrival under load: how late a span is on the screen, and whether the page's memory stays flat."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Page

from bench.ui.data import PROJECT
from tracestore.client import Client

SPANS_S: Final = 1000
"""Matching spans a second, as the budget says."""

BATCH_S: Final = 0.1
"""Seconds between two batches of the sender: about what exporters of several processes make."""

LOOKS: Final = 12
"""Looks at the memory of the page while spans arrive."""

WATCH: Final = """() => {
  window.shown = {};
  const look = () => {
    const now = Date.now();
    // Newest first: what a row on the screen says, all older batches were there as well.
    for (const cell of document.querySelectorAll(".tbody .tr a")) {
      const batch = /^batch (\\d+)$/.exec(cell.textContent.trim());
      if (!batch) continue;
      window.shown[batch[1]] ??= now;
      break;
    }
  };
  const watcher = new MutationObserver(() => requestAnimationFrame(() => setTimeout(look)));
  watcher.observe(document.querySelector(".tbl"), { childList: true, subtree: true, characterData: true });
}"""
"""Notes when each batch is the first on the screen."""


@dataclass(slots=True)
class Sender:
    """Batches of spans that are sent while a page watches; `acknowledged` has the moment of each, in seconds."""

    url: str
    seconds: float
    acknowledged: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Sends the batches, each at its time."""
        began = time.time()
        with Client(self.url) as client:
            for number in range(int(self.seconds / BATCH_S)):
                time.sleep(max(0.0, began + number * BATCH_S - time.time()))
                now = time.time_ns()
                row = {"name": f"batch {number}", "type": "agent", "duration_ns": 1000}
                rows = [{**row, "start_ns": now} for _ in range(int(SPANS_S * BATCH_S))]
                client.insert("spans", rows, project=PROJECT)
                self.acknowledged.append(time.time())


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of live arrival.

    Attributes:
        p50_s: seconds from an acknowledgement to the screen, the middle batch.
        p95_s: seconds that 95 of 100 batches do not exceed.
        spans_s: spans a second that were acknowledged.
        heap_bytes: of the page's scripts at each twelfth of the time, unused memory collected first.
        nodes: of the page's documents at the same moments.
    """

    p50_s: float
    p95_s: float
    spans_s: float
    heap_bytes: list[int]
    nodes: list[int]

    @property
    def growth(self) -> float:
        """Returns by which part the heap grew from the second third of the time to the last; the first warms up."""
        third = LOOKS // 3
        before, after = self.heap_bytes[third : 2 * third], self.heap_bytes[2 * third :]
        return statistics.median(after) / statistics.median(before) - 1


def watched(page: Page, url: str, seconds: float) -> Watched:
    """Returns how live arrival went, of 1,000 matching spans a second."""
    page.goto(f"{url}/p/{PROJECT}/traces?live=1&view=spans")
    page.get_by_role("row").nth(1).wait_for()
    page.wait_for_timeout(1500)
    page.evaluate(WATCH)
    sender = Sender(url, seconds)
    thread = threading.Thread(target=sender.run)
    thread.start()
    heap, nodes = _memory(page, seconds)
    thread.join()
    page.wait_for_timeout(2000)
    late = lateness(sender.acknowledged, page.evaluate("window.shown"))
    took_s = sender.acknowledged[-1] - sender.acknowledged[0]
    sent_s = (len(late) - 1) * SPANS_S * BATCH_S / took_s
    return Watched(late[len(late) // 2], late[int(len(late) * 0.95)], sent_s, heap, nodes)


def _memory(page: Page, seconds: float) -> tuple[list[int], list[int]]:
    """Returns the bytes of the page's heap and the nodes of its documents, twelve times within the time."""
    session = page.context.new_cdp_session(page)
    heap: list[int] = []
    nodes: list[int] = []
    for _ in range(LOOKS):
        page.wait_for_timeout(seconds * 1000 / LOOKS)
        session.send("HeapProfiler.collectGarbage")
        heap.append(int(session.send("Runtime.getHeapUsage")["usedSize"]))
        nodes.append(int(session.send("Memory.getDOMCounters")["nodes"]))
    session.detach()
    return heap, nodes


def lateness(acknowledged: list[float], shown_ms: dict[str, Any]) -> list[float]:
    """Returns for each batch the seconds until it or a later one was on the screen, sorted."""
    late = []
    seen_s = float("inf")
    for number in range(len(acknowledged) - 1, -1, -1):
        seen_s = min(seen_s, shown_ms.get(str(number), float("inf")) / 1000)
        late.append(seen_s - acknowledged[number])
    return sorted(late)
