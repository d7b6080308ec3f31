"""Reviewing with the keyboard alone, by two people; an alert from its statement to its history."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tracestore.client import Client
from tracestore.demo.support_documents import QUEUE
from tracestore.server import Server

OpenPage = Callable[..., Page]


def open_queue(page: Page, url: str) -> None:
    page.goto(f"{url}/p/support/review")
    expect(page.get_by_role("link", name=QUEUE)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("form", name="Your answers")).to_be_visible()


def test_answers_are_scored_one_after_the_other_with_the_keyboard_alone(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{support.url}/p/support/traces")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")
    open_queue(page, support.url)
    first = page.get_by_role("region", name="What is reviewed").inner_text()
    page.keyboard.press("9")
    page.keyboard.press("2")
    page.keyboard.press("x")
    page.keyboard.type("Tell them when it arrives.")
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    page.keyboard.type("The date is missing.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    expect(page.locator(".progress")).to_contain_text("1 of")
    expect(page.get_by_role("region", name="What is reviewed")).not_to_have_text(first)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator(".progress")).to_contain_text("2 of")
    with Client(support.url) as client:
        [span] = client.sql(
            "SELECT scores.helpful AS helpful, metadata, expected FROM spans "
            "WHERE expected = 'Tell them when it arrives.'"
        ).rows()
        assert span["helpful"] == 1
        assert span["metadata"]["labels"] == {"problem": "wrong"}
        assert span["metadata"]["comments"][0]["author"] == "me"
        [reviewed] = client.datasets.list("reviewed")
        version = reviewed["version"]
        cases = client.sql(f"SELECT expected FROM dataset('reviewed', {version}, 'support')")
        assert "Tell them when it arrives." in [row["expected"] for row in cases.rows()]


def test_a_form_that_arrives_leaves_who_types_elsewhere_alone(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(support.url)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/traces/*/spans/*", hold)
    page.goto(f"{support.url}/p/support/review")
    with page.expect_request("**/api/traces/*/spans/*"):
        page.get_by_role("link", name=QUEUE).click()
    page.get_by_label("Your name as a reviewer").fill("eve")
    for route in held:
        route.continue_()
    expect(page.get_by_role("form", name="Your answers")).to_be_visible()
    # Effects run after the picture, so the form had its say when two of them have passed.
    page.evaluate(
        "() => new Promise((told) => requestAnimationFrame(() => requestAnimationFrame(told)))"
    )
    page.keyboard.type("lyn")
    expect(page.get_by_label("Your name as a reviewer")).to_have_value("evelyn")
    expect(page).to_have_url(re.compile("/review/.+"))


def test_two_reviewers_see_how_far_they_agree(support: Server, open_page: OpenPage) -> None:
    page = open_page(support.url)
    for name, key in (("ann", "9"), ("bob", "8")):
        open_queue(page, support.url)
        page.get_by_label("Your name as a reviewer").fill(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("form", name="Your answers")).to_be_visible()
        expect(page.locator(".progress")).to_contain_text("0 of")
        page.keyboard.press(key)
        page.keyboard.press("Enter")
        expect(page.locator(".progress")).to_contain_text("1 of")
    page.reload()
    expect(page.get_by_text("agree").first).to_contain_text("helpful 100 % agree")


def test_an_alert_is_made_tried_and_fires(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/alerts")
    expect(page.get_by_role("link", name="Tools fail")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.type("Any span")
    page.get_by_label("Statement: its first row's first column is the value").fill(
        "SELECT count(*) FROM spans"
    )
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("dialog")).to_contain_text(re.compile(r"It is [\d,]+ now"))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Any span")).to_be_visible()
    expect(page.locator(".state-firing")).to_be_visible()
    expect(page.get_by_role("row").nth(1)).to_contain_text("firing")
    page.keyboard.press("t")
    expect(page.get_by_role("row").nth(1)).to_contain_text("test")


def test_a_column_of_any_path_is_added(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/traces?view=spans")
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("menuitem", name="Any path…").click()
    page.keyboard.type("metadata.topic")
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="metadata.topic")).to_be_visible()
    expect(page).to_have_url(re.compile("cols="))
