"""Keys on, the server gone and back, and that everybody can use the pages: axe-core finds nothing serious."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tracestore.client import Client
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

OpenPage = Callable[..., Page]

PAGES = (
    "traces",
    "traces?view=sessions&chart=heat",
    "ask",
    "ask?sql=SELECT%20type%2C%20count(*)%20AS%20n%20FROM%20spans%20GROUP%20BY%20type&show=chart",
    "experiments",
    "compare?e=short-answers%7Cname-the-dates",
    "datasets",
    "datasets/questions",
    "play",
    "boards",
    "review",
    "alerts",
    "settings",
    "settings/keys",
    "settings/paths",
    "settings/storage",
    "settings/about",
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_can_be_used_by_everybody(
    support: Server, open_page: OpenPage, axe: str, theme: str
) -> None:
    with Client(support.url) as client:
        sql = "SELECT trace_id FROM spans WHERE status_code = 'ERROR' LIMIT 1"
        trace_id = client.sql(sql).rows()[0]["trace_id"]
        [board] = client.documents.list("board", project="support")
        [queue] = client.documents.list("queue", project="support")
        [alert] = client.alerts.list(project="support")
    page = open_page(f"{support.url}/p/support/traces", theme=theme)
    findings = []
    opened = [
        f"trace/{trace_id}",
        f"trace/{trace_id}?mode=conversation",
        f"boards/{board['document_id']}",
        f"review/{queue['document_id']}",
        f"alerts/{alert['document_id']}",
    ]
    for name in (*PAGES, *opened):
        page.goto(f"{support.url}/p/support/{name}")
        expect(page.locator(".wait")).to_have_count(0)
        page.evaluate(axe)
        found: Any = page.evaluate("axe.run()")
        findings += [
            f"{name}: {each['impact']} {each['id']}: {each['nodes'][0]['html'][:160]}"
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
        ]
    assert findings == [], "\n".join(findings)


def test_a_browser_signs_in_and_sees_what_its_key_may_see(
    tmp_path: Path, open_page: OpenPage, watch: Any
) -> None:
    watch.expected = ("401",)
    data = tmp_path / "store"
    settings = ServerSettings(data=data, port=0, grpc_port=-1, require_keys=True)
    data.mkdir()
    ring = KeyRing(data)
    _, admin = ring.create("boss", ["admin"])
    reader_key, reader = ring.create("reader", ["read"], ["shop"])
    with Server(settings) as server, Client(server.url, admin) as client:
        for project in ("shop", "secret"):
            client.insert(
                "spans", [{"name": f"span of {project}", "type": "agent"}], project=project
            )
        page = open_page(server.url)
        page.get_by_label("API key").fill("ts_wrong_key")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("no live key")
        page.get_by_label("API key").fill(reader)
        page.keyboard.press("Enter")
        expect(page.get_by_role("row").nth(1)).to_contain_text("span of shop")
        expect(page.get_by_text("Add to dataset")).to_have_count(0)
        page.goto(f"{server.url}/p/secret/traces")
        expect(page.get_by_role("heading", name="Send the first span to secret")).to_be_visible()
        ring.revoke(reader_key.key_id)
        # The server looks keys up anew within two seconds.
        page.wait_for_timeout(2500)
        page.goto(f"{server.url}/p/shop/traces")
        expect(page.get_by_label("API key")).to_be_visible()
    ring.close()


def test_the_page_says_that_the_server_is_gone_and_goes_on_when_it_is_back(
    tmp_path: Path, open_page: OpenPage, watch: Any
) -> None:
    watch.expected = ("ERR_CONNECTION", "Failed to load resource")
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)
    with Server(settings) as server:
        server.store.insert("spans", [{"name": "first", "type": "agent"}], project="shop")
        port = server.http_port
        page = open_page(f"{server.url}/p/shop/traces")
        expect(page.get_by_role("row").nth(1)).to_contain_text("first")
    page.keyboard.press("r")
    expect(page.get_by_role("alert").first).to_contain_text("The server does not answer")
    with Server(settings.model_copy(update={"port": port})) as server:
        server.store.insert("spans", [{"name": "second", "type": "agent"}], project="shop")
        expect(page.get_by_role("row").nth(1)).to_contain_text("second")
        expect(page.locator(".gone")).to_have_count(0)


def test_an_empty_store_says_how_to_send_the_first_span_and_shows_it(
    tmp_path: Path, open_page: OpenPage
) -> None:
    with Server(ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)) as server:
        page = open_page(server.url)
        expect(page.get_by_role("heading", name="Send the first span")).to_be_visible()
        expect(page.locator("pre")).to_contain_text(server.url)
        server.store.insert("spans", [{"name": "hello", "start_ns": time.time_ns()}])
        expect(page.get_by_role("row").nth(1)).to_contain_text("hello")
        expect(page).to_have_url(re.compile("/p/default/traces"))
