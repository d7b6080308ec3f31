"""Prints the budgets of the UI, measured in headless Chromium. See README.md."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Locator, Page, sync_playwright

from tracestore.client import Client
from tracestore.server import Server, ServerSettings
from tracestore.ui.pages import BUILT

BIG_TRACE: Final = "e" * 32
BATCH_ROWS: Final = 20_000
DAY_NS: Final = 24 * 3600 * 1_000_000_000


def spans(count: int, end_ns: int) -> Iterator[dict[str, Any]]:
    """Yields spans of five-step traces over a day."""
    chance = random.Random(1)
    for number in range(count // 5):
        trace_id = f"{number + 1:032x}"
        start = end_ns - DAY_NS + number * 5 * DAY_NS // count
        for step in range(5):
            row: dict[str, Any] = {
                "trace_id": trace_id,
                "span_id": f"{number * 5 + step + 1:016x}",
                "name": ("invoke_agent", "chat", "lookup", "chat", "guardrail")[step],
                "type": ("agent", "llm", "tool", "llm", "guardrail")[step],
                "start_ns": start + step * 1_000_000,
                "duration_ns": int(chance.lognormvariate(18, 1)),
                "status_code": "ERROR" if chance.random() < 0.02 else "OK",
                "metadata": {
                    "model": ("gpt-4o", "claude")[number % 2],
                    "tier": ("free", "pro")[number % 3 == 0],
                },
                "metrics": {"tokens": chance.randint(100, 4000)},
            }
            if step:
                row["parent_span_id"] = f"{number * 5 + 1:016x}"
            yield row


def big_trace(count: int, start_ns: int) -> Iterator[dict[str, Any]]:
    """Yields one trace with many spans, ten below each."""
    for number in range(count):
        row: dict[str, Any] = {
            "trace_id": BIG_TRACE,
            "span_id": f"{number + 1:016x}",
            "name": f"step {number % 40}",
            "type": ("agent", "llm", "tool")[number % 3],
            "start_ns": start_ns + number * 1000,
            "duration_ns": 2_000_000,
        }
        if number:
            row["parent_span_id"] = f"{(number - 1) // 10 + 1:016x}"
        yield row


def cases(count: int, run: int, start_ns: int) -> Iterator[dict[str, Any]]:
    """Yields the cases of one run."""
    chance = random.Random(run)
    for number in range(count):
        yield {
            "name": "case",
            "type": "eval",
            "start_ns": start_ns + number * 1000,
            "duration_ns": 1_000_000,
            "input": {"question": f"question {number}"},
            "output": f"the answer {chance.randint(0, 9)} to question {number}",
            "scores": {"correct": float(chance.random() < 0.7)},
        }


def insert(client: Client, rows: Iterator[dict[str, Any]], **where: str) -> None:
    """Stores rows in batches."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            client.insert("spans", batch, **where)
            batch = []
    if batch:
        client.insert("spans", batch, **where)


def timed(act: Callable[[], object], ready: Locator) -> float:
    """Returns seconds from an act until something is there."""
    started = time.perf_counter()
    act()
    ready.wait_for()
    return time.perf_counter() - started


def say(what: str, budget: float, measured: float, unit: str) -> None:
    """Prints one line."""
    held = "held" if measured <= budget else "not held"
    print(f"{what:<62} {budget:>8g} {unit:<3} {measured:>9.3g} {unit:<3} {held}", flush=True)


FRAMES: Final = """async () => {
  const box = document.querySelector(".tree-body"), times = []; let last = performance.now();
  for (let i = 0; i < 120; i++) {
    box.scrollTop += 2400;
    await new Promise(requestAnimationFrame);
    const now = performance.now(); times.push(now - last); last = now;
  }
  times.sort((a, b) => a - b); return times[Math.floor(times.length * 0.95)];
}"""


def measure(page: Page, url: str) -> None:
    """Measures each budget and prints it."""
    loaded: set[str] = set()
    page.on("request", lambda request: loaded.add(request.url.rsplit("/", 1)[-1]))
    row = page.get_by_role("row").nth(1)
    seconds = timed(lambda: page.goto(f"{url}/p/load/traces"), row)
    paint = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime / 1000"
    )
    say("TRACES, first paint", 0.3, paint or 0, "s")
    say("TRACES, first rows", 0.8, seconds, "s")
    facets = page.locator(".facets[aria-busy=false] .facet").first
    seconds = timed(lambda: page.keyboard.press("r", delay=20), facets)
    say("facets and counts of the last day", 1, seconds, "s")
    tree = page.get_by_role("treeitem").nth(3)
    seconds = timed(lambda: page.goto(f"{url}/p/load/trace/{BIG_TRACE}"), tree)
    say("TRACE of 100,000 spans, to interactive", 1, seconds, "s")
    say("TRACE of 100,000 spans, scrolling p95 a frame", 16.8, page.evaluate(FRAMES), "ms")
    sizes = [
        (BUILT / "assets" / f"{name}.gz").stat().st_size for name in loaded if name.endswith(".js")
    ]
    say("JavaScript of TRACES and TRACE, gzip", 110, sum(sizes) / 1000, "kB")
    regressed = page.get_by_role("group", name="Which cases")
    seconds = timed(lambda: page.goto(f"{url}/p/load/compare?e=one%7Ctwo"), regressed)
    say("COMPARE of two runs of 10,000 cases", 1.5, seconds, "s")
    editor = next((BUILT / "assets").glob("editor-*.js.gz")).stat().st_size
    say("the same with the editor, gzip", 240, (sum(sizes) + editor) / 1000, "kB")


def live(page: Page, client: Client, url: str) -> None:
    """Measures the time from an acknowledgement to the screen."""
    page.goto(f"{url}/p/load/traces?live=1")
    page.get_by_role("row").nth(1).wait_for()
    page.wait_for_timeout(1500)
    client.insert("spans", [{"name": "the newest of all", "type": "agent"}], project="load")
    seconds = timed(lambda: None, page.get_by_text("the newest of all").first)
    say("live tail, acknowledgement to screen", 1, seconds, "s")


def main() -> None:
    """Makes the data, opens the pages, prints the budgets."""
    parser = argparse.ArgumentParser(prog="bench.ui")
    parser.add_argument("--spans", type=int, default=200_000)
    chosen = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None or not (BUILT / "index.html").exists():
        sys.exit("needs chromium, and the pages: make ui")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        settings = ServerSettings(
            data=Path(folder) / "store", port=0, grpc_port=-1, durability="async"
        )
        with Server(settings) as server, Client(server.url) as client:
            now = time.time_ns()
            insert(client, spans(chosen.spans, now), project="load")
            insert(client, big_trace(100_000, now - 1_000_000_000), project="load")
            for number, name in enumerate(("one", "two")):
                insert(client, cases(10_000, number, now - DAY_NS), project="load", experiment=name)
            server.store.flush()
            print(f"{chosen.spans:,} spans".ljust(62), "  budget    measured")
            browser = driver.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            measure(page, server.url)
            live(page, client, server.url)
            browser.close()


if __name__ == "__main__":
    main()
