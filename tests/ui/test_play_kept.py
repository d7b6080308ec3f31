"""Nothing of Play is lost or seen by who may not: two people, crashes, hostile text, readers, and everybody's eyes."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from data.processes import serving
from tracestore.demo.stub_model import StubModel
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing
from ui.play_pages import ASK, OpenPage, asked, cells, new_play, saved, settings_of


def test_two_people_see_each_others_changes_and_lose_none(
    server: Server, open_page: OpenPage
) -> None:
    address = new_play(server.url)
    one = open_page(f"{address}?panel=prompt")
    other = open_page(f"{address}?panel=prompt")
    system, user = "Text of message 1, system", "Text of message 2, user"
    expect(one.get_by_label(system)).to_be_visible()
    other.get_by_label(user).press("Control+End")
    for word in (" One", " after", " the", " other."):
        one.get_by_label(system).press("Control+End")
        one.keyboard.type(word)
        other.keyboard.type(word)
    for page in (one, other):
        expect(page.get_by_label(system)).to_have_value(
            "Name the topic in one word. One after the other."
        )
        expect(page.get_by_label(user)).to_have_value("{{input.question}} One after the other.")
    one.get_by_label("Name of the play").fill("Ours")
    expect(other.get_by_label("Name of the play")).to_have_value("Ours")
    other.keyboard.press("Escape")
    other.keyboard.press("Escape")
    other.keyboard.press("n")
    expect(one.get_by_role("columnheader")).to_have_count(3)
    other.keyboard.press("Escape")
    other.keyboard.press("Control+Enter")
    expect(one.locator(".foot")).to_contain_text("6 of 6 cells done")


def test_two_hundred_rows_in_four_columns_survive_the_crash_of_server_and_browser(
    tmp_path: Path, stub: StubModel, open_page: OpenPage, watch: Any
) -> None:
    watch.expected = ("ERR_", "Failed to load resource")
    provider = {"stub": {"kind": "openai", "base_url": f"{stub.url}/v1"}}
    environment = {"TRACESTORE_PROVIDERS": json.dumps(provider)}
    options = ("--grpc-port", "-1")
    items = {
        f"r{n}": {"input": {"question": f"Parcel {n}?"}, "expected": "parcel"} for n in range(200)
    }
    rows = {"source": "typed", "items": items, "order": list(items)}
    models = ["stub", "stub-small", "stub", "stub-small"]
    before = stub.asked.total()
    with serving(tmp_path / "store", *options, environment=environment) as first:
        port = first.url.rsplit(":", 1)[1]
        address = new_play(first.url, models=models, rows=rows, concurrency=16)
        page = open_page(address)
        expect(page.get_by_role("row").nth(5)).to_be_visible()
        page.keyboard.press("Control+Enter")
        expect(page.locator(".foot")).to_contain_text(re.compile(r"[1-7]\d\d of 800 cells done"))
        stub.held.clear()
        expect(page.locator(".foot")).to_contain_text("running")
        first.process.kill()
    expect(page.get_by_role("alert").first).to_contain_text("The server does not answer")
    stub.held.set()
    # What is typed meanwhile outlives the page.
    page.keyboard.press("p")
    page.get_by_label("Name of the column").fill("typed in the dark")
    expect(page.locator(".foot")).to_contain_text("saving")
    browser = page.context
    page.close()
    with serving(tmp_path / "store", *options, "--port", port, environment=environment):
        page = browser.new_page()
        watch.watch(page)
        page.goto(address)
        expect(page.get_by_role("columnheader").nth(1)).to_contain_text("typed in the dark")
        saved(page)
        page.keyboard.press("Control+Enter")
        foot = page.locator(".foot")
        expect(foot).to_contain_text(re.compile(r"^([1-7]\d\d|\d\d) of \1 cells done"))
        url = f"http://127.0.0.1:{port}"
        sql = """
            SELECT count(*) AS cells, count(DISTINCT row(
                attributes."tracestore.play"."column", attributes."tracestore.play"."row"
            )) AS different
            FROM spans WHERE is_root AND experiment IS NOT NULL"""
        [[cases, different]] = asked(url, "POST", "/api/query", {"sql": sql, "project": "shop"})[
            "rows"
        ]
        assert different == 800
        assert cases == 800, "a cell that was done was run again"
        page.close()
    assert stub.asked.total() - before <= 800 + 16


def test_what_rows_prompts_and_models_say_is_text(server: Server, open_page: OpenPage) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    rows = {"source": "typed", "items": {"r": {"input": evil, "expected": evil}}, "order": ["r"]}
    column = {
        "name": evil[:180],
        "messages": [
            {"role": "user", "content": "{{input}}"},
            {"role": evil[:60], "content": evil},
        ],
        "provider": "stub",
        "model": "stub",
    }
    address = new_play(server.url, models=[], rows=rows)
    play = address.rsplit("/", 1)[1]
    edits = [{"path": ["columns", "c"], "value": column}, {"path": ["order"], "value": ["c"]}]
    asked(server.url, "PATCH", f"/api/play/{play}", {"edits": edits, "name": evil})
    page = open_page(f"{address}?panel=prompt")
    expect(page.get_by_role("columnheader").nth(1)).to_contain_text("<img src=x")
    page.keyboard.press("Control+Enter")
    expect(cells(page).first).to_contain_text("<script>")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_contain_text("<script>")
    page.keyboard.press("d")
    expect(page.get_by_role("dialog")).to_contain_text("<script>")
    page.keyboard.press("Escape")
    page.keyboard.press("P")
    page.keyboard.press("Escape")
    page.goto(f"{server.url}/p/shop/play")
    expect(page.get_by_role("link", name="<script>")).to_be_visible()
    assert page.locator("main img, main script").count() == 0
    assert "owned" not in page.title()


def test_without_a_provider_the_page_says_how_to_add_one(
    tmp_path: Path, open_page: OpenPage
) -> None:
    with Server(ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)) as server:
        page = open_page(f"{server.url}/p/shop/play")
        expect(page.locator("pre").first).to_contain_text("[providers.openai]")
        page.get_by_role("button", name="Copy the lines").press("Enter")
        lines = page.evaluate("navigator.clipboard.readText()")
    taken = ServerSettings.model_validate(
        {"data": tmp_path, "providers": tomllib.loads(lines)["providers"]}
    )
    assert {"openai", "anthropic", "local"} == set(taken.providers)


def test_a_reader_looks_and_changes_nothing(
    tmp_path: Path, stub: StubModel, open_page: OpenPage
) -> None:
    data = tmp_path / "store"
    data.mkdir()
    ring = KeyRing(data)
    _, admin = ring.create("boss", ["admin"])
    _, reader = ring.create("reader", ["read"])
    settings = settings_of(data, stub).model_copy(update={"require_keys": True})
    with Server(settings) as server:
        body = {"columns": {"c": {"messages": ASK, "provider": "stub", "model": "stub"}}}
        made = httpx.post(
            f"{server.url}/api/play?project=shop",
            json={"name": "Looked at", "body": body},
            headers={"Authorization": f"Bearer {admin}"},
        )
        page = open_page(f"{server.url}/p/shop/play/{made.json()['document_id']}?panel=prompt")
        page.get_by_label("API key").fill(reader)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Text of message 1, system")).not_to_be_editable()
        expect(page.get_by_role("button", name="Run all")).to_have_count(0)
        expect(page.get_by_role("button", name="Promote")).to_have_count(0)
        page.keyboard.press("Control+Enter")
        expect(page.locator(".foot")).to_contain_text("no run")
        page.close()
    ring.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_play_can_be_used_by_everybody(
    server: Server, open_page: OpenPage, axe: str, theme: str
) -> None:
    address = new_play(server.url, models=["stub", "stub-small"], scorers=["exact_match"])
    page = open_page(address, theme=theme)
    expect(page.get_by_role("row")).to_have_count(4)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".foot")).to_contain_text("6 of 6 cells done")
    looks = [f"{address}{search}" for search in ("", "?panel=prompt", "?panel=cell")]
    findings = []
    for url in [f"{server.url}/p/shop/play", *looks]:
        page.goto(url)
        expect(page.locator(".wait")).to_have_count(0)
        findings += found_by_axe(page, axe, url)
    for key in ("o", "t", "v", "P", "d", "K"):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        expect(page.locator(".wait")).to_have_count(0)
        findings += found_by_axe(page, axe, f"dialog {key}")
        page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.get_by_role("button", name="Write a scorer").press("Enter")
    findings += found_by_axe(page, axe, "a scorer")
    assert findings == [], "\n".join(findings)


def found_by_axe(page: Page, axe: str, name: str) -> list[str]:
    page.evaluate(axe)
    found: Any = page.evaluate("axe.run()")
    return [
        f"{name}: {each['impact']} {each['id']}: {each['nodes'][0]['html'][:160]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
