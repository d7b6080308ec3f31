"""The pages show what the store holds, by mouse and by keyboard, and their address is their state."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tracestore.server import Server

OpenPage = Callable[..., Page]


def test_the_first_page_is_the_traces_of_the_project_that_has_some(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(support.url)
    expect(page).to_have_url(re.compile("/p/support/traces$"))
    expect(page.get_by_role("row").nth(1)).to_contain_text("invoke_agent support")
    expect(page.locator(".foot")).to_contain_text("traces")


def test_a_trace_opens_by_keys_and_the_way_back_is_the_same(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{support.url}/p/support/traces")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/p/support/trace/[0-9a-f]{32}"))
    expect(page.get_by_role("treeitem").first).to_contain_text("invoke_agent support")
    for _ in range(5):
        page.keyboard.press("j")
    expect(page).to_have_url(re.compile("span=[0-9a-f]{16}"))
    expect(page.get_by_role("complementary")).to_contain_text("chat ")
    deep = page.url
    page.go_back()
    expect(page).to_have_url(re.compile("/p/support/traces"))
    page.goto(deep)
    expect(page.get_by_role("complementary")).to_contain_text("chat ")


def test_a_facet_writes_the_where_clause(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/traces?view=spans")
    page.get_by_role("button", name="llm", exact=True).click()
    expect(page).to_have_url(re.compile("where=type"))
    expect(page.get_by_role("combobox", name="Filter")).to_have_value("type = 'llm'")
    expect(page.get_by_role("row").nth(1)).to_contain_text("chat ")
    page.go_back()
    expect(page.get_by_role("combobox", name="Filter")).to_have_value("")
