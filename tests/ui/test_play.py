"""Prompts tried on real rows by keys alone, from a failing trace to a promoted prompt, against a stub of the models."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from tracestore.demo.stub_model import StubModel
from tracestore.server import Server
from ui.play_pages import OpenPage, asked, cells, new_play, saved


def test_an_answer_streams_into_its_cell(
    server: Server, stub: StubModel, open_page: OpenPage
) -> None:
    page = open_page(f"{server.url}/p/shop/traces")
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="Play")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_role("grid")).to_contain_text("What can you do for me?")
    page.keyboard.press("p")
    page.get_by_label("Model", exact=True).fill("stub-slow")
    saved(page)
    stub.held.clear()
    try:
        page.keyboard.press("Control+Enter")
        expect(cells(page).first).to_contain_text("Thank you for")
        expect(page.locator(".foot")).to_contain_text("0 of 1 cell done")
    finally:
        stub.held.set()
    expect(cells(page).first).to_contain_text("about your other. What can you do for me?")
    expect(page.locator(".foot")).to_contain_text("1 of 1 cell done")
    page.reload()
    expect(cells(page).first).to_contain_text("about your other. What can you do for me?")


def test_a_team_goes_from_a_failing_trace_to_a_promoted_prompt_by_keys(
    server: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{server.url}/p/shop/trace/{'ab' * 16}")
    expect(page.get_by_role("complementary")).to_contain_text("the wrong team was asked")
    page.keyboard.press("o")
    expect(page).to_have_url(re.compile("/play/.*panel=prompt"))
    expect(page.get_by_label("Text of message 1, system")).to_have_value(
        "Name the topic in one word."
    )
    expect(page.get_by_label("Model", exact=True)).to_have_value("stub-small")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    expect(cells(page).first).to_contain_text("other")
    # Another model, beside the first.
    page.keyboard.press("n")
    page.get_by_label("Model", exact=True).press("Control+a")
    page.keyboard.type("stub")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    expect(cells(page).nth(1)).to_contain_text("parcel")
    expect(page.locator(".foot")).to_contain_text("1 of 1 cell done")
    # What was wrong becomes a case.
    page.keyboard.press("h")
    page.keyboard.press("d")
    page.keyboard.type("mistakes")
    page.keyboard.press("Tab")
    page.keyboard.type("parcel")
    page.get_by_role("button", name="Add", exact=True).press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    # The better column becomes the prompt of production.
    page.keyboard.press("l")
    page.keyboard.press("P")
    page.get_by_label("Prompt", exact=True).press("Control+a")
    page.keyboard.type("topic")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("columnheader").nth(2)).to_contain_text("topic v1")
    expect(page.get_by_role("columnheader").nth(2)).to_contain_text("production")
    prompt = asked(server.url, "GET", "/api/prompts/topic")
    assert prompt["labels"] == {"production": 1}
    assert prompt["body"]["model"] == "stub"
    sql = "SELECT expected, metadata.wrong_output AS wrong FROM dataset('mistakes')"
    found = asked(server.url, "POST", "/api/query", {"sql": sql, "project": "shop"})
    assert found["rows"] == [["parcel", "other"]]


def test_what_changed_alone_is_run_and_the_runs_are_kept_and_compared(
    server: Server, open_page: OpenPage
) -> None:
    page = open_page(new_play(server.url, models=["stub", "stub-small"], scorers=["exact_match"]))
    expect(page.get_by_role("row")).to_have_count(4)
    page.keyboard.press("Control+Enter")
    foot = page.locator(".foot")
    expect(foot).to_contain_text("6 of 6 cells done")
    heads = page.get_by_role("columnheader")
    expect(heads.nth(1)).to_contain_text("exact_match 1.00")
    expect(heads.nth(2)).to_contain_text("exact_match 0.33")
    # A change of one column makes its cells old, and runs them alone.
    page.keyboard.press("l")
    page.keyboard.press("p")
    page.get_by_label("Temperature").fill("0.5")
    expect(page.get_by_text("changed since")).to_have_count(3)
    page.keyboard.press("Control+Enter")
    expect(foot).to_contain_text("3 of 3 cells done")
    expect(page.get_by_text("changed since")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("R")
    expect(foot).to_contain_text("2 of 2 cells done")
    page.keyboard.press("7")
    expect(cells(page).nth(3)).to_contain_text("quality 0.75")
    page.keyboard.press("K")
    page.get_by_role("dialog").get_by_role("textbox").fill("warmer topics")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Kept as warmer topics")).to_be_visible()
    page.keyboard.press("m")
    expect(page).to_have_url(re.compile("compare.*warmer"))
    expect(page.get_by_role("grid", name="Cases")).to_contain_text("Where is my parcel?")
    page.go_back()
    expect(heads.nth(2)).to_contain_text("stub-small")


def test_prompts_are_versions_that_differ_word_by_word(server: Server, open_page: OpenPage) -> None:
    page = open_page(new_play(server.url))
    expect(page.get_by_role("row")).to_have_count(4)
    page.keyboard.press("v")
    page.get_by_role("dialog").get_by_role("textbox").fill("versions")
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader").nth(1)).to_contain_text("versions v1")
    page.keyboard.press("p")
    first = page.get_by_label("Text of message 1, system")
    expect(first).to_have_value("Name the topic in one word.")
    first.fill("Name the topic in two words.")
    expect(page.get_by_role("columnheader").nth(1)).to_contain_text("edited")
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    expect(page.get_by_role("dialog").locator("ins")).to_have_text("two words")
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader").nth(1)).to_contain_text("versions v2")
    page.keyboard.press("V")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("del")).to_have_text("one word")
    dialog.get_by_role("row").nth(2).get_by_role("button", name="Take it").press("Enter")
    expect(page.get_by_role("columnheader").nth(1)).to_contain_text("versions v1")


def test_variables_of_the_rows_are_offered_while_a_prompt_is_typed(
    server: Server, open_page: OpenPage
) -> None:
    page = open_page(new_play(server.url))
    expect(page.get_by_role("row")).to_have_count(4)
    page.keyboard.press("p")
    text = page.get_by_label("Text of message 2, user")
    text.fill("")
    text.press_sequentially("About {{in")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(2)
    text.press_sequentially("put.q")
    page.keyboard.press("Enter")
    expect(text).to_have_value("About {{input.question}}")
    text.press_sequentially(" {{input.nothing}}")
    expect(page.locator(".tag.unknown")).to_have_text("{{input.nothing}}")
    saved(page)
    page.reload()
    expect(text).to_have_value("About {{input.question}} {{input.nothing}}")


def test_a_scorer_is_written_tried_and_used_with_its_reason(
    server: Server, open_page: OpenPage
) -> None:
    page = open_page(new_play(server.url))
    expect(page.get_by_role("row")).to_have_count(4)
    page.keyboard.press("t")
    page.get_by_role("button", name="Write a scorer").press("Enter")
    page.get_by_label("Name: the name of its score").fill("short_enough")
    code = page.get_by_label("Code of the scorer")
    code.fill("def score(output):\n    return 1 / 0\n")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Line 2")
    code.fill(
        "def score(output):\n    why = f'{len(output)} letters'\n"
        "    return {'score': 1.0, 'metadata': {'rationale': why}}\n"
    )
    expect(page.get_by_role("dialog")).to_contain_text("0 letters")
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.get_by_label("short_enough")).to_be_checked()
    page.keyboard.press("Escape")
    saved(page)
    page.keyboard.press("Control+Enter")
    expect(cells(page).first).to_contain_text("short_enough 1.00")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_contain_text("6 letters")


def test_the_focus_stays_where_it_is_while_scorers_come(
    server: Server, open_page: OpenPage
) -> None:
    page = open_page(new_play(server.url))
    expect(page.get_by_role("row")).to_have_count(4)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/scorers*", hold)
    page.keyboard.press("t")
    write = page.get_by_role("button", name="Write a scorer")
    write.focus()
    while not held:
        page.wait_for_timeout(10)
    held.pop().continue_()
    expect(page.get_by_role("dialog").get_by_role("checkbox").first).to_be_visible()
    expect(write).to_be_focused()


def test_a_provider_that_fails_is_told_in_its_cell_and_run_again(
    server: Server, open_page: OpenPage
) -> None:
    models = ["stub-429", "stub-500", "stub-cut", "stub-401", "stub-error"]
    rows = {
        "source": "typed",
        "items": {"r": {"input": {"question": "My parcel?"}}},
        "order": ["r"],
    }
    page = open_page(new_play(server.url, models=models, rows=rows))
    expect(page.get_by_role("row")).to_have_count(2)
    page.keyboard.press("Control+Enter")
    foot = page.locator(".foot")
    expect(foot).to_contain_text("2 of 5 cells done, 3 failed")
    for number, text in enumerate(("parcel", "parcel", "cannot", "no such key", "overloaded")):
        expect(cells(page).nth(number)).to_contain_text(text)
    page.goto(f"{page.url}?col=c2&panel=prompt")
    page.get_by_label("Model", exact=True).fill("stub")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("C")
    expect(cells(page).nth(2)).to_contain_text("parcel")


def test_stored_tools_are_called_until_the_model_answers(
    server: Server, open_page: OpenPage
) -> None:
    tool = {
        "type": "python",
        "code": "def lookup_order(order):\n    return {'city': 'Bonn'}\n",
        "function": "lookup_order",
        "description": "Looks an order up.",
        "parameters": {"type": "object", "properties": {"order": {"type": "integer"}}},
    }
    asked(server.url, "POST", "/api/tools", {"name": "lookup_order", "body": tool})
    page = open_page(f"{new_play(server.url, models=['stub-tools'])}?panel=prompt")
    page.get_by_text("Tools", exact=True).click()
    page.get_by_label("lookup_order").check()
    saved(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".foot")).to_contain_text("3 of 3 cells done")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_contain_text("2 turns")
    page.get_by_role("link", name="Open trace").press("Enter")
    expect(page.get_by_role("grid").or_(page.get_by_role("tree"))).to_contain_text("lookup_order")


def test_a_run_is_stopped_and_what_it_left_is_run_later(
    server: Server, stub: StubModel, open_page: OpenPage
) -> None:
    page = open_page(new_play(server.url))
    expect(page.get_by_role("row")).to_have_count(4)
    stub.held.clear()
    try:
        page.keyboard.press("Control+Enter")
        expect(page.locator(".foot")).to_contain_text("running: 0 of 3 cells done")
        page.keyboard.press("s")
        expect(page.locator(".foot")).to_contain_text("stopped")
        expect(cells(page).first).not_to_contain_text("asked")
    finally:
        stub.held.set()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".foot")).to_contain_text("3 of 3 cells done")
    expect(cells(page).nth(2)).to_contain_text("invoice")


def test_an_address_shows_a_cell_and_back_leads_where_one_was(
    server: Server, open_page: OpenPage
) -> None:
    address = new_play(server.url, models=["stub", "stub-small"])
    page = open_page(address)
    expect(page.get_by_role("row")).to_have_count(4)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".foot")).to_contain_text("6 of 6 cells done")
    for key in ("j", "l", "Enter"):
        page.keyboard.press(key)
    panel = page.get_by_role("complementary")
    expect(panel).to_contain_text("stub-small on this row")
    other = open_page(page.url)
    expect(other.get_by_role("complementary")).to_contain_text("I want my money back")
    expect(other.locator(".play-cell.on")).to_have_count(1)
    page.get_by_role("link", name="Open trace").press("Enter")
    expect(page).to_have_url(re.compile("/trace/"))
    page.go_back()
    expect(panel).to_contain_text("stub-small on this row")
    page.go_forward()
    expect(page).to_have_url(re.compile("/trace/"))


def test_a_version_of_a_play_is_taken_again(server: Server, open_page: OpenPage) -> None:
    page = open_page(new_play(server.url, models=["stub", "stub-small"]))
    expect(page.get_by_role("columnheader")).to_have_count(3)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".foot")).to_contain_text("6 of 6 cells done")
    page.keyboard.press("Delete")
    expect(page.get_by_role("columnheader")).to_have_count(2)
    saved(page)
    page.get_by_role("button", name=re.compile("^version")).press("Enter")
    page.get_by_role("button", name="Take it again").first.press("Enter")
    expect(page.get_by_role("columnheader")).to_have_count(3)
    saved(page)
    page.reload()
    expect(page.get_by_role("columnheader")).to_have_count(3)
