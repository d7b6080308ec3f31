"""A real browser over a real server: Debian's Chromium, headless. Skipped with a reason where it is not there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tracestore.client import Client
from tracestore.demo import stub_model
from tracestore.demo.stub_model import StubModel
from tracestore.demo.support import PROJECT, support_day
from tracestore.demo.support_documents import save_documents
from tracestore.demo.support_evals import run_support_evals
from tracestore.server import Server, ServerSettings
from tracestore.ui.pages import BUILT
from ui.play_pages import QUESTIONS, failed_call, settings_of

CHROMIUM: Final = shutil.which("chromium")
QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS: Final = 60_000
"""Milliseconds that a step may take on a busy machine."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser of one module.

    While the driver runs, so does an event loop in this thread; a test of another module that calls asyncio.run()
    would fail. pytest ends what belongs to a module before it begins a test of another one, in whatever order.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; apt-get install chromium")
    if not (BUILT / "index.html").exists():
        pytest.skip("the pages are not built; run make ui")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        chromium.close()


class Watch:
    """What a browser must never do: ask another host, or complain in its console."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()

    def watch(self, page: Page) -> None:
        """Listens to a page."""
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(part in text for part in self.expected):
            self.complaints.append(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        if urlsplit(url).hostname not in {"127.0.0.1", None}:
            self.complaints.append(f"asked another host: {url}")


@pytest.fixture
def watch() -> Iterator[Watch]:
    watching = Watch()
    yield watching
    assert watching.complaints == []


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """Opens pages that are watched; each has a profile of its own unless it is given one."""
    contexts: list[BrowserContext] = []

    def opened(
        url: str, *, theme: str = "light", width: int = 1280, height: int = 800, base: str = ""
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
            timezone_id="UTC",
            base_url=base or None,
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        watch.watch(page)
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def support(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a day of the support agent."""
    data = tmp_path_factory.mktemp("ui") / "store"
    settings = ServerSettings(data=data, port=0, grpc_port=-1, durability="async")
    with Server(settings) as server, Client(server.url) as client:
        client.insert("spans", support_day(time.time_ns(), traces=120), project=PROJECT)
        run_support_evals(client, time.time_ns())
        save_documents(client)
        server.store.flush()
        yield server


@pytest.fixture(scope="module")
def stub() -> Iterator[StubModel]:
    """A stub of the models."""
    with stub_model.serving() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, stub: StubModel) -> Iterator[Server]:
    """A server with the stub as its provider, a dataset, and a call that failed."""
    with Server(settings_of(tmp_path_factory.mktemp("play") / "store", stub)) as running:
        with Client(running.url) as client:
            rows = [{"input": {"question": each}, "expected": topic} for each, topic in QUESTIONS]
            client.datasets.add("topics", rows, project="shop")
            client.insert("spans", [failed_call()], project="shop")
        yield running


@pytest.fixture(scope="session")
def axe() -> str:
    """Returns the source of axe-core."""
    path = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        pytest.skip("axe-core is not installed; run make ui")
    return path.read_text()
