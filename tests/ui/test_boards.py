"""A board is made, arranged and shared, with the mouse and with the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tracestore.client import Client
from tracestore.demo.support_documents import BOARD
from tracestore.server import Server

OpenPage = Callable[..., Page]


def open_board(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/p/support/boards")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def tiles_of(client: Client, name: str) -> dict[str, dict[str, Any]]:
    boards = client.documents.list("board", project="support", bodies=True)
    body = next(board["body"] for board in boards if board["name"] == name)
    return {tile["title"]: tile for tile in body["tiles"]}


def test_a_point_of_a_board_leads_to_its_traces(support: Server, open_page: OpenPage) -> None:
    page = open_page(support.url)
    open_board(page, support.url, BOARD)
    topics = page.get_by_role("region", name="What users ask")
    expect(topics.get_by_text("refund")).to_be_visible()
    page.get_by_role("button", name="model: all").click()
    page.get_by_role("menuitem", name="gpt-4o-mini").click()
    expect(page).to_have_url(re.compile("var.model=gpt-4o-mini"))
    topics.get_by_role("button", name="refund").click()
    expect(page).to_have_url(re.compile("/traces.*metadata.topic"))
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile("/boards/.*var.model=gpt-4o-mini"))


def test_a_board_is_made_and_arranged_with_the_keyboard_alone(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{support.url}/p/support/traces")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page.get_by_role("heading", name="Boards", exact=True)).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.type("By hand")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="This board is empty")).to_be_visible()
    for title in ("First", "Second"):
        page.keyboard.press("a")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.type(title)
        expect(page.locator(".tile-preview .uplot")).to_be_visible()
        page.get_by_role("button", name="Add it").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name=title)).to_be_visible()
    page.get_by_role("region", name="Second").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("By hand saved, version 2")).to_be_visible()
    with Client(support.url) as client:
        tiles = tiles_of(client, "By hand")
    assert (tiles["Second"]["y"], tiles["Second"]["w"], tiles["First"]["y"]) == (0, 7, 4)


def test_a_tile_is_dragged_and_resized_with_the_mouse(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/boards")
    page.get_by_role("button", name="Tools Which tools").click()
    tile = page.get_by_role("region", name="Calls by tool", exact=True)
    expect(tile.locator(".uplot")).to_be_visible()
    box = tile.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 60 + box["width"] + 20, box["y"] + 14, steps=4)
    page.mouse.up()
    expect(page.get_by_text("not saved")).to_be_visible()
    corner = tile.bounding_box()
    assert corner is not None
    page.mouse.move(corner["x"] + corner["width"] - 5, corner["y"] + corner["height"] - 5)
    page.mouse.down()
    page.mouse.move(corner["x"] + corner["width"] - 5, corner["y"] + corner["height"] + 80, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Tools saved, version 2")).to_be_visible()
    with Client(support.url) as client:
        tiles = tiles_of(client, "Tools")
    assert (tiles["Calls by tool"]["x"], tiles["Calls by tool"]["h"]) == (6, 5)


def test_two_people_change_one_board_and_the_second_chooses(
    support: Server, open_page: OpenPage, watch: Any
) -> None:
    watch.expected = ("409",)
    page, other = open_page(support.url), open_page(support.url)
    with Client(support.url) as client:
        tile = {"id": "a", "title": "Ours", "kind": "text", "sql": "hello", "x": 0, "y": 0}
        board = {"tiles": [{**tile, "w": 6, "h": 2}]}
        client.documents.create("board", "Shared", board, project="support")
    for each in (page, other):
        open_board(each, support.url, "Shared")
        each.get_by_role("region", name="Ours").focus()
    other.keyboard.press("Shift+ArrowRight")
    other.keyboard.press("Control+s")
    expect(other.get_by_text("Shared saved, version 2")).to_be_visible()
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("dialog")).to_contain_text("Somebody changed Shared too")
    page.get_by_role("button", name="Look at theirs").click()
    expect(page.get_by_text("not saved")).to_have_count(0)
    with Client(support.url) as client:
        assert (
            tiles_of(client, "Shared")["Ours"]["w"],
            tiles_of(client, "Shared")["Ours"]["h"],
        ) == (7, 2)


def test_a_statement_of_ask_becomes_a_tile(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/ask")
    page.get_by_role("button", name=re.compile("Tools that fail")).click()
    expect(page.get_by_role("grid", name="Result")).to_be_visible()
    page.keyboard.press("b")
    page.get_by_label("Board: one that is there, or a new name").fill("From Ask")
    page.get_by_label("Title of the tile").fill("Failing tools")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("region", name="Failing tools")).to_contain_text("execute_tool")
