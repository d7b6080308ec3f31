"""The pictures of README and guide: every page at two sizes in both themes, and none of them scrolls sideways.

UI_PICTURES=1 writes them anew, UI_PICTURES=traces,spans those of some pages; without it each page is held against its
picture, so that none gets stale.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from playwright.sync_api import Page, expect

from tracestore.client import Client
from tracestore.demo import stub_model
from tracestore.demo.support import PROJECT
from tracestore.demo.support_play import save_play, stub_providers
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

OpenPage = Callable[..., Page]

PICTURES: Final = Path(__file__).parents[2] / "docs" / "guide" / "ui"
WEBP_QUALITY: Final = 80
"""Text is crisp, and a picture has 20 to 90 kB."""

PATIENCE_MS: Final = 60_000

WANTED: Final = os.environ.get("UI_PICTURES", "")
"""The pages whose pictures are written, parted by commas; 1 for all, empty for none."""

SIZES: Final = ((1280, 800), (1920, 1080))

SAME: Final = 0.06
"""How far a page may be from its picture, of 1: times, and the fonts of another machine, are a part of it."""

CALLS: Final = """SELECT metadata.model AS model, count(*) AS calls, sum(metrics.tokens) AS tokens
FROM spans
WHERE type = 'llm'
GROUP BY ALL
ORDER BY calls DESC"""
ADDRESSES: Final = {
    "traces": "traces",
    "spans": "traces?view=spans&where=type%20%3D%20%27llm%27%20AND%20duration%20%3E%201",
    "durations": "traces?chart=heat&view=spans",
    "sessions": "traces?view=sessions",
    "ask": "ask",
    "ask-chart": f"ask?show=chart&sql={quote(CALLS)}",
    "boards": "boards",
    "experiments": "experiments",
    "compare": "compare?e=short-answers%7Cname-the-dates&only=regressed",
    "datasets": "datasets",
    "dataset": "datasets/questions",
    "reviews": "review",
    "alerts": "alerts",
    "settings": "settings",
    "keys": "settings/keys",
    "paths": "settings/paths",
    "storage": "settings/storage",
    "about": "settings/about",
}
PLAY_LOOKS: Final = {
    "play": "?col=v2",
    "play-prompt": "?panel=prompt&col=v2",
    "play-cell": "?panel=cell&col=v1",
}
FAILED: Final = """
    SELECT t.trace_id, s.span_id FROM spans t JOIN spans s ON s.trace_id = t.trace_id
    WHERE t.type = 'tool' AND t.status_code = 'ERROR' AND s.type = 'llm'
    ORDER BY t.duration_ns DESC, s.start_ns DESC LIMIT 1"""

DISTANCE: Final = """async ([one, other]) => {
  const cells = async (base64) => {
    const image = await createImageBitmap(await (await fetch("data:image/webp;base64," + base64)).blob());
    const canvas = new OffscreenCanvas(48, 30), pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, 48, 30);
    return pen.getImageData(0, 0, 48, 30).data;
  };
  const [a, b] = [await cells(one), await cells(other)];
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length / 255;
}"""


def opened_documents(url: str) -> dict[str, str]:
    """Returns the addresses of what was saved, by page."""
    with Client(url) as client:
        span: Any = client.sql(FAILED).rows()[0]
        [board] = client.documents.list("board", project="support")
        [queue] = client.documents.list("queue", project="support")
        [alert] = client.alerts.list(project="support")
    trace = f"trace/{span['trace_id']}"
    return {
        "trace": f"{trace}?span={span['span_id']}",
        "conversation": f"{trace}?mode=conversation&span={span['span_id']}&tab=fields",
        "names": f"{trace}?mode=names",
        "board": f"boards/{board['document_id']}",
        "review": f"review/{queue['document_id']}",
        "alert": f"alerts/{alert['document_id']}",
    }


def test_every_page_fits_its_window(support: Server, open_page: OpenPage) -> None:
    addresses = {**ADDRESSES, **opened_documents(support.url)}
    page = open_page(f"{support.url}/p/support/traces")
    far: dict[str, float] = {}
    for name, address in addresses.items():
        if WANTED not in {"", "1"} and name not in WANTED.split(","):
            continue
        page.goto(f"{support.url}/p/support/{address}")
        if name.startswith("alert"):
            # The server looks at it once a minute, and a look may have fallen together with a restart of the engine.
            expect(page.locator(".state-firing")).to_be_visible(timeout=2 * PATIENCE_MS)
        far |= looked_at(page, name)
    page.goto(f"{support.url}/p/nothing-yet/traces")
    far |= looked_at(page, "start")
    assert {name: by for name, by in far.items() if by > SAME} == {}


def test_the_page_that_asks_for_a_key_fits_its_window(
    tmp_path: Path, open_page: OpenPage, watch: Any
) -> None:
    watch.expected = ("401",)
    data = tmp_path / "store"
    data.mkdir()
    ring = KeyRing(data)
    ring.create("reader", ["read"])
    ring.close()
    settings = ServerSettings(data=data, port=0, grpc_port=-1, require_keys=True)
    with Server(settings) as server:
        page = open_page(server.url)
        expect(page.get_by_label("API key")).to_be_visible()
        assert max(looked_at(page, "sign-in").values()) <= SAME


def test_play_fits_its_window(tmp_path: Path, open_page: OpenPage) -> None:
    with stub_model.serving() as stub:
        settings = ServerSettings(
            data=tmp_path / "store", port=0, grpc_port=-1, providers=stub_providers(stub.url)
        )
        with Server(settings) as server, Client(server.url) as client:
            play, _ = save_play(client)
            base = f"{server.url}/p/{PROJECT}/play"
            page = open_page(base)
            far = looked_at(page, "plays")
            for name, look in PLAY_LOOKS.items():
                page.goto(f"{base}/{play}{look}")
                expect(page.get_by_role("gridcell").nth(9)).to_contain_text("exact_match")
                for _ in range(2):
                    page.keyboard.press("j")
                far |= looked_at(page, name)
            # It must not listen to a server that ends.
            page.close()
    assert {name: by for name, by in far.items() if by > SAME} == {}


def test_the_guide_shows_each_picture_and_no_other() -> None:
    guide = (PICTURES.parent / "ui.md").read_text("utf-8")
    shown = {path.name for path in PICTURES.iterdir() if f"(ui/{path.name})" in guide}
    assert shown == {path.name for path in PICTURES.iterdir()}
    names = {path.stem.rsplit("-", 2)[0] for path in PICTURES.iterdir()}
    assert {
        *ADDRESSES,
        *PLAY_LOOKS,
        "plays",
        "trace",
        "board",
        "review",
        "alert",
        "start",
        "sign-in",
    } <= names


def looked_at(page: Page, name: str) -> dict[str, float]:
    """Returns how far a page is from its pictures: of both sizes, in both themes."""
    expect(page.locator(".wait, [aria-busy=true]")).to_have_count(0)
    expect(page.locator("main > :last-child")).to_be_visible()
    if "/play/" not in page.url:
        # A play's events come for as long as its page is there.
        page.wait_for_load_state("networkidle")
    # The folder of a test is nobody's.
    for folder in page.locator("dd", has_text="/pytest-").all():
        folder.evaluate("element => { element.textContent = '/srv/tracestore'; }")
    far = {}
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            expect(page.locator("[aria-busy=true]")).to_have_count(0)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
            far[f"{name}-{theme}-{width}"] = compared(page, f"{name}-{theme}-{width}")
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    page.emulate_media(color_scheme="light")
    return far


def compared(page: Page, name: str) -> float:
    """Returns how far a page is from one picture; where pictures are written anew, it becomes the picture."""
    # What follows the size of the window has drawn itself anew after two frames.
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    session = page.context.new_cdp_session(page)
    webp = {"format": "webp", "quality": WEBP_QUALITY}
    taken = session.send("Page.captureScreenshot", webp)["data"]
    session.detach()
    path = PICTURES / f"{name}.webp"
    if WANTED:
        path.write_bytes(base64.b64decode(taken))
        return 0.0
    blank = page.context.new_page()
    kept = base64.b64encode(path.read_bytes()).decode()
    distance: float = blank.evaluate(DISTANCE, [taken, kept])
    blank.close()
    return distance
