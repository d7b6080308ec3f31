"""The pictures of README and guide: every page at two sizes in both themes, and none of them scrolls sideways.

UI_PICTURES=1 writes the few that are committed; UI_PICTURES=all writes every one of them to build/pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tracestore.client import Client
from tracestore.server import Server

OpenPage = Callable[..., Page]

ROOT: Final = Path(__file__).parents[2]
COMMITTED: Final = {
    ("traces", "light", 1280): "traces-light.png",
    ("durations", "dark", 1280): "durations-dark.png",
    ("trace", "dark", 1280): "trace-dark.png",
    ("ask", "light", 1280): "ask-light.png",
    ("board", "light", 1280): "board-light.png",
    ("experiments", "dark", 1280): "experiments-dark.png",
    ("compare", "light", 1280): "compare-light.png",
    ("dataset", "light", 1280): "dataset-light.png",
    ("review", "light", 1280): "review-light.png",
    ("alert", "dark", 1280): "alert-dark.png",
    ("storage", "light", 1280): "storage-light.png",
}
ADDRESSES: Final = {
    "traces": "traces",
    "durations": "traces?chart=heat&view=spans",
    "sessions": "traces?view=sessions",
    "ask": "ask?sql=SELECT%20metadata.model%20AS%20model%2C%20count(*)%20AS%20calls%20FROM%20spans%20GROUP%20BY%20ALL",
    "experiments": "experiments",
    "compare": "compare?e=short-answers%7Cname-the-dates&only=regressed",
    "datasets": "datasets",
    "dataset": "datasets/questions",
    "boards": "boards",
    "reviews": "review",
    "alerts": "alerts",
    "settings": "settings",
    "keys": "settings/keys",
    "paths": "settings/paths",
    "storage": "settings/storage",
}
FAILED: Final = """
    SELECT t.trace_id, s.span_id FROM spans t JOIN spans s ON s.trace_id = t.trace_id
    WHERE t.type = 'tool' AND t.status_code = 'ERROR' AND s.type = 'llm'
    ORDER BY t.duration_ns DESC, s.start_ns DESC LIMIT 1"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_fits_its_window(
    support: Server, open_page: OpenPage, theme: str, width: int, height: int
) -> None:
    with Client(support.url) as client:
        span: Any = client.sql(FAILED).rows()[0]
        [board] = client.documents.list("board", project="support")
        [queue] = client.documents.list("queue", project="support")
        [alert] = client.alerts.list(project="support")
    addresses = {
        **ADDRESSES,
        "board": f"boards/{board['document_id']}",
        "review": f"review/{queue['document_id']}",
        "alert": f"alerts/{alert['document_id']}",
        "trace": f"trace/{span['trace_id']}?span={span['span_id']}",
    }
    page = open_page(f"{support.url}/p/support/traces", theme=theme, width=width, height=height)
    for name, address in addresses.items():
        page.goto(f"{support.url}/p/support/{address}")
        expect(page.locator(".wait")).to_have_count(0)
        expect(page.locator(".main > :last-child")).to_be_visible()
        sideways = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert sideways <= 0, name
        committed = COMMITTED.get((name, theme, width))
        if os.environ.get("UI_PICTURES") and committed:
            _write(page, ROOT / "docs" / "guide" / "ui" / committed)
        if os.environ.get("UI_PICTURES") == "all":
            _write(page, ROOT / "build" / "pictures" / f"{name}-{theme}-{width}.png")


def _write(page: Page, path: Path) -> None:
    page.wait_for_load_state("networkidle")
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
