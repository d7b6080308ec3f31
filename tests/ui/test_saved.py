"""What people save is on the server, with versions; of two who change one thing nobody loses anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tracestore.client import Client
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

OpenPage = Callable[..., Page]


def name_it(page: Page, text: str) -> None:
    page.get_by_role("dialog").get_by_role("textbox").fill(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_view_is_saved_and_opened_by_a_colleague(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/traces?view=spans&where=type%20%3D%20%27tool%27")
    page.get_by_role("button", name="Views", exact=True).click()
    page.get_by_role("menuitem", name="Save this view as…").click()
    name_it(page, "Tool calls")
    expect(page.get_by_role("button", name="Views: Tool calls")).to_be_visible()
    other = open_page(f"{support.url}/p/support/traces")
    other.get_by_role("button", name="Views", exact=True).click()
    other.get_by_role("menuitem", name="Tool calls").click()
    expect(other).to_have_url(re.compile("view=spans.*where=type"))
    expect(other.get_by_role("row").nth(1)).to_contain_text("execute_tool")


def test_two_people_change_one_view_and_the_second_chooses(
    support: Server, open_page: OpenPage, watch: object
) -> None:
    watch.expected = ("409",)  # type: ignore[attr-defined] # of the fixture in conftest
    with Client(support.url) as client:
        view = client.documents.create("view", "Ours", {"search": "view=spans"}, project="support")
        address = f"{support.url}/p/support/traces?view=spans&saved={view['document_id']}"
        page = open_page(f"{address}&sort=duration")
        expect(page.get_by_role("button", name="Views: Ours")).to_contain_text("changed")
        theirs = {"search": "view=spans&chart=heat"}
        client.documents.save("view", view["document_id"], theirs, version=1, project="support")
        page.get_by_role("button", name="Views: Ours").click()
        page.get_by_role("menuitem", name="Save the changes of Ours").click()
        expect(page.get_by_role("dialog")).to_contain_text("saved version 2")
        page.get_by_role("button", name="Save mine as version 3").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        newest = client.documents.get("view", view["document_id"], project="support")
        assert newest["body"]["search"] == "view=spans&sort=duration"
        page.get_by_role("button", name="Views: Ours").click()
        page.get_by_role("menuitem", name="Versions…").click()
        rows = page.get_by_role("dialog").get_by_role("row")
        rows.nth(2).get_by_role("button", name="Look at it").click()
        expect(page).to_have_url(re.compile("chart=heat"))


def test_retention_is_set_and_a_delete_shows_what_goes(
    support: Server, open_page: OpenPage
) -> None:
    with Client(support.url) as client:
        client.insert("spans", [{"name": "old", "start_ns": 10**18}], project="attic")
        page = open_page(f"{support.url}/p/attic/settings")
        page.get_by_label("Keep rows for").fill("30")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Rows expire 30 days after they happened")).to_be_visible()
        page.get_by_label("What to delete").select_option("all")
        page.get_by_role("button", name="Show what goes").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Delete the project attic")
        expect(dialog.get_by_role("button", name="Delete for good")).to_be_disabled()
        dialog.get_by_role("textbox").fill("attic")
        dialog.get_by_role("button", name="Delete for good").click()
        expect(dialog).to_have_count(0)
        assert client.sql("SELECT name FROM spans WHERE project = 'attic'").rows() == []


def test_keys_are_made_and_revoked_and_readers_see_no_buttons_that_write(
    tmp_path: Path, open_page: OpenPage
) -> None:
    data = tmp_path / "store"
    data.mkdir()
    ring = KeyRing(data)
    _, admin = ring.create("boss", ["admin"])
    settings = ServerSettings(data=data, port=0, grpc_port=-1, require_keys=True)
    with Server(settings) as server:
        server.store.insert("spans", [{"name": "hello"}], project="shop")
        page = open_page(server.url)
        page.get_by_label("API key").fill(admin)
        page.keyboard.press("Enter")
        expect(page.get_by_role("row").nth(1)).to_be_visible()
        page.goto(f"{server.url}/p/shop/settings/keys")
        page.get_by_role("button", name="Make a key").click()
        page.get_by_label("Name: who or what uses it").fill("helper")
        page.get_by_role("button", name="Make it").click()
        reader = page.locator("pre").inner_text()
        page.keyboard.press("Escape")
        expect(page.get_by_role("row").filter(has_text="helper")).to_contain_text("shop")
        other = open_page(server.url)
        other.get_by_label("API key").fill(reader)
        other.keyboard.press("Enter")
        expect(other.get_by_role("row").nth(1)).to_be_visible()
        other.get_by_role("button", name="Views", exact=True).click()
        expect(other.get_by_role("menuitem", name="Save this view as…")).to_have_count(0)
        other.goto(f"{server.url}/p/shop/settings")
        expect(other.get_by_text("Changes need a key with the scope admin")).to_be_visible()
        expect(other.get_by_role("link", name="Keys")).to_have_count(0)
        page.get_by_role("button", name="Revoke helper").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
        expect(page.get_by_text("1 revoked")).to_be_visible()
    ring.close()
