"""In half a window every control of a page is in reach, and the times of rows are whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tracestore.server import Server
from ui.test_pictures import ADDRESSES, opened_documents

OpenPage = Callable[..., Page]

HALF: Final = (800, 900)

HIDDEN: Final = """() => [...document.querySelectorAll(".bar > *, .head > *, .foot > *")]
  .filter((each) => each.textContent && !each.classList.contains("sr"))
  .filter((each) => {
    const at = each.getBoundingClientRect();
    return at.right > innerWidth || at.width === 0;
  })
  .map((each) => each.textContent)"""
"""Gives the texts of what stands beyond the window in the bars of a page, or has no room in them."""

CUT: Final = "(cells) => cells.filter((each) => each.scrollWidth > each.clientWidth).length"


def test_every_control_of_a_page_is_in_reach(support: Server, open_page: OpenPage) -> None:
    addresses = {**ADDRESSES, **opened_documents(support.url)}
    page = open_page(f"{support.url}/p/support/traces", width=HALF[0], height=HALF[1])
    hidden = {}
    for name, address in addresses.items():
        page.goto(f"{support.url}/p/support/{address}")
        expect(page.locator(".wait, [aria-busy=true]")).to_have_count(0)
        expect(page.locator("main > :last-child")).to_be_visible()
        hidden[name] = page.evaluate(HIDDEN)
    assert {name: texts for name, texts in hidden.items() if texts} == {}


@pytest.mark.parametrize("width", [HALF[0], 1440])
def test_a_row_says_at_which_time_of_which_day_it_was(
    support: Server, open_page: OpenPage, width: int
) -> None:
    page = open_page(f"{support.url}/p/support/traces", width=width)
    times = page.locator(".tbody [role=gridcell]:nth-child(2)")
    expect(times.first).to_be_visible()
    # A day of traces: some are of yesterday, whose day is told.
    page.get_by_role("button", name="time", exact=True).click()
    expect(times.first).to_contain_text(" ")
    assert times.evaluate_all(CUT) == 0
