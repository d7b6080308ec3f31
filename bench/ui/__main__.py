"""Prints the budgets of the UI, measured in headless Chromium. See README.md."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from bench.report import Result, keep
from bench.service.server import served
from bench.ui.data import BIG_TRACE, DAY_NS, PROJECT, RUNS, made
from bench.ui.live import watched
from bench.ui.page_clock import clicked, opened
from bench.ui.scrolling import EMPTY, Frames, by_leaps, by_wheel
from tracestore.ui.pages import BUILT

ROUNDS: Final = 3
"""Times that each page is opened, each in a new profile; the middle one counts."""

ROWS: Final = "document.querySelector('.tbody .tr')"
COUNTS: Final = "document.querySelector('.hist[aria-busy=false] rect')"
FACETS: Final = "document.querySelector('.facets[aria-busy=false] .facet')"
TREE: Final = "document.querySelectorAll('[role=treeitem]').length > 3"
CASES: Final = "document.querySelector('.crow:not(.chead)')"
TEXTS: Final = "/answer/.test(document.querySelector('.crow:not(.chead)').textContent)"


class Budgets:
    """The pages of one server in one browser, measured one after the other.

    Args:
        browser: where pages are opened; each in a profile of its own.
        url: the server's.
        end_ns: the end of the day that the data are about.
        workload: how many spans it has.

    Attributes:
        results: what was measured.
    """

    def __init__(self, browser: Browser, url: str, end_ns: int, workload: str) -> None:
        self._browser = browser
        self._workload = workload
        self.results: list[Result] = []
        self._url = f"{url}/p/{PROJECT}"
        end_ms = end_ns // 1_000_000
        self._day = f"from={end_ms - DAY_NS // 1_000_000}&to={end_ms + 1}"

    def say(self, what: str, budget: float | None, measured: float, unit: str) -> None:
        """Prints and keeps one line; what has no budget stands beside what has one."""
        told = "" if budget is None else "held" if measured <= budget else "NOT HELD"
        limit = "" if budget is None else f"{budget:g}"
        print(f"{what:<68} {limit:>6} {measured:>9.3g} {unit:<4} {told}", flush=True)
        about = (self._workload, "ui", "tracestore", version("tracestore"))
        self.results.append(Result(*about, what, measured, unit, 0.0))

    def say_frames(self, what: str, budget_ms: float | None, frames: Frames) -> None:
        """Prints and keeps how long frames took."""
        self.say(f"{what}: p95 of a frame", budget_ms, frames.p95_ms, "ms")
        self.say(f"{what}: the page's own work a frame", None, frames.work_ms, "ms")

    @contextlib.contextmanager
    def page(self) -> Iterator[Page]:
        """Gives a page of a new profile."""
        context = self._browser.new_context(viewport={"width": 1280, "height": 800})
        try:
            yield context.new_page()
        finally:
            context.close()

    def sizes(self) -> None:
        """Measures the JavaScript that is loaded before first use."""
        loaded: set[str] = set()
        with self.page() as page:
            page.on("request", lambda request: loaded.add(request.url.rsplit("/", 1)[-1]))
            opened(page, f"{self._url}/traces?{self._day}", {"rows": ROWS})
            opened(page, f"{self._url}/trace/{BIG_TRACE}", {"tree": TREE})
            plain = _gzip_kb(loaded)
            page.goto(f"{self._url}/ask")
            page.locator(".cm-editor").wait_for()
        self.say("JavaScript of TRACES and TRACE, gzip", 110, plain, "kB")
        self.say("JavaScript of TRACES, TRACE and the editor, gzip", 240, _gzip_kb(loaded), "kB")

    def traces(self) -> None:
        """Measures the first page, its facets and its counts."""
        wanted = {"rows": ROWS, "counts": COUNTS, "facets": FACETS}
        times = []
        for _ in range(ROUNDS):
            with self.page() as page:
                seen = opened(page, f"{self._url}/traces?{self._day}", wanted)
                paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
                times.append({**seen, "paint": page.evaluate(paint)})
        self.say("TRACES, first paint", 0.3, _middle(times, "paint"), "s")
        self.say("TRACES, first rows", 0.8, _middle(times, "rows"), "s")
        self.say("TRACES, counts over time of the day", 1, _middle(times, "counts"), "s")
        self.say("TRACES, facets of the day", 1, _middle(times, "facets"), "s")

    def trace(self) -> None:
        """Measures a trace of 100,000 spans: from the click, and while it scrolls."""
        times = []
        for _ in range(ROUNDS):
            with self.page() as page:
                listed = (
                    f"{self._url}/traces?view=spans&where=trace_id%3D%27{BIG_TRACE}%27&{self._day}"
                )
                opened(page, listed, {"rows": ROWS})
                times.append(clicked(page, f".tbody a[href*='{BIG_TRACE}']", {"tree": TREE}))
        self.say("TRACE of 100,000 spans, click to interactive", 1, _middle(times, "tree"), "s")
        with self.page() as page:
            opened(page, f"{self._url}/trace/{BIG_TRACE}", {"tree": TREE})
            wheel, leaps = by_wheel(page, ".tree-body"), by_leaps(page, ".tree-body")
            page.set_content(EMPTY)
            empty = by_wheel(page, "#box")
        self.say_frames("TRACE of 100,000 spans, by wheel", 16.8, wheel)
        self.say_frames("the same, a new screen each frame", None, leaps)
        self.say_frames("a page that is empty, by wheel", None, empty)

    def compare(self) -> None:
        """Measures the comparison of two runs."""
        times = []
        for _ in range(ROUNDS):
            with self.page() as page:
                url = f"{self._url}/compare?e={'%7C'.join(RUNS)}"
                times.append(opened(page, url, {"cases": CASES, "texts": TEXTS}))
        self.say(
            "COMPARE of two runs of 10,000 cases, cases and sums", 1.5, _middle(times, "cases"), "s"
        )
        self.say("the same, with the texts of the cases seen", None, _middle(times, "texts"), "s")

    def live(self, seconds: float) -> None:
        """Measures live arrival of 1,000 spans a second, and the page's memory meanwhile."""
        with self.page() as page:
            told = watched(page, self._url.partition("/p/")[0], seconds)
        self.say(
            f"live tail, acknowledgement to screen, {told.spans_s:,.0f} spans a second, p95",
            1,
            told.p95_s,
            "s",
        )
        self.say("the same, the middle", None, told.p50_s, "s")
        self.say(
            f"memory of the page over {seconds:,.0f} s of live tail, growth",
            5,
            100 * told.growth,
            "%",
        )
        print(
            "  heap MB:", *(f"{each / 1e6:.2f}" for each in told.heap_bytes), " nodes:", *told.nodes
        )


def _middle(times: list[dict[str, float]], name: str) -> float:
    return sorted(each[name] for each in times)[len(times) // 2]


def _gzip_kb(names: set[str]) -> float:
    scripts = [BUILT / "assets" / f"{name}.gz" for name in names if name.endswith(".js")]
    return sum(path.stat().st_size for path in scripts) / 1000


def main() -> None:
    """Makes the data, opens the pages, prints the budgets."""
    parser = argparse.ArgumentParser(prog="bench.ui")
    parser.add_argument("--spans", type=int, default=200_000, help="of the day")
    parser.add_argument(
        "--data", type=Path, help="a folder where the data are kept, and taken from"
    )
    parser.add_argument("--live-seconds", type=float, default=30, help="of live arrival")
    parser.add_argument("--only", choices=["sizes", "traces", "trace", "compare", "live"])
    chosen = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None or not (BUILT / "index.html").exists():
        sys.exit("needs chromium, and the pages: make ui")
    with contextlib.ExitStack() as stack:
        folder = chosen.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        end_ns = made(folder, chosen.spans)
        url, _ = stack.enter_context(served(folder / "store", {"TRACESTORE_DURABILITY": "async"}))
        driver = stack.enter_context(sync_playwright())
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=chromium, args=quiet)
        stack.callback(browser.close)
        print(f"{chosen.spans:,} spans".ljust(68), "budget  measured")
        budgets = Budgets(browser, url, end_ns, f"{chosen.spans:,} spans")
        for name in ("sizes", "traces", "trace", "compare"):
            if chosen.only in (None, name):
                getattr(budgets, name)()
        if chosen.only in (None, "live"):
            budgets.live(chosen.live_seconds)
    keep(budgets.results, "ui", quick=chosen.only is not None)


if __name__ == "__main__":
    main()
