"""The pages show what the store holds, by mouse and by keyboard, and their address is their state."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import FilePayload, Page, Route, expect

from tracestore.client import Client
from tracestore.server import Server

OpenPage = Callable[..., Page]


def test_the_first_page_is_the_traces_of_the_project_that_has_some(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(support.url)
    expect(page).to_have_url(re.compile("/p/support/traces$"))
    traces = page.get_by_role("row").filter(has_text="invoke_agent support")
    expect(traces.first).to_be_visible()
    expect(page.locator(".foot")).to_contain_text("traces")


def test_a_page_chosen_before_the_projects_are_known_is_the_first_projects(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{support.url}/p/support/traces")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/explore/projects", hold)
    page.goto(support.url)
    page.get_by_role("link", name=re.compile("^Boards")).click()
    expect(page).to_have_url(re.compile("page=boards"))
    for route in held:
        route.continue_()
    expect(page).to_have_url(re.compile("/p/support/boards$"))


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


def test_what_arrives_is_shown_while_somebody_watches(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/traces?live=1")
    expect(page.locator(".foot")).to_contain_text("live: 0 arrived")
    with Client(support.url) as client:
        # The first look takes what is there; what comes after it is shown.
        page.wait_for_timeout(1500)
        client.insert("spans", [{"name": "just arrived", "type": "agent"}], project="support")
    expect(page.get_by_role("row").nth(1)).to_contain_text("just arrived")


def test_sql_answers_as_a_table_and_as_a_chart(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/ask")
    page.get_by_role("button", name=re.compile("Model calls by model")).click()
    expect(page.get_by_role("grid", name="Result")).to_contain_text("gpt-4o")
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("show=chart"))
    expect(page.locator(".bars-row").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.press("Control+A")
    page.keyboard.type("SELECT name, count(*) AS n FROM spans WHERE type = 'tool' GROUP BY name")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    expect(page.get_by_role("grid", name="Result")).to_contain_text("execute_tool lookup_order")


def test_a_statement_that_cannot_run_says_why(
    support: Server, open_page: OpenPage, watch: Any
) -> None:
    watch.expected = ("400",)
    page = open_page(f"{support.url}/p/support/ask?sql=SELECT%20FROM%20WHERE")
    expect(page.get_by_role("heading", name="The query cannot run")).to_be_visible()
    marked = page.locator(".cm-error")
    expect(marked).to_have_attribute("title", re.compile("FROM|SELECT"))
    page.keyboard.press("/")
    page.keyboard.press("Control+A")
    page.keyboard.type("SELECT 1 AS one")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("grid", name="Result")).to_contain_text("one")
    expect(marked).to_have_count(0)


def test_two_prompts_are_compared_with_the_keyboard_alone(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{support.url}/p/support/traces")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page.get_by_role("link", name="name-the-dates")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/compare"))
    expect(page.get_by_role("row").nth(1)).to_contain_text("regressed")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_contain_text("Open trace")
    expect(page.locator("ins").first).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page).to_have_url(re.compile("only=regressed"))


def test_an_edited_cell_is_a_new_version_that_shows_what_changed(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{support.url}/p/support/datasets/questions")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_label("Expected").fill("Says that nobody knows.")
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.locator(".head")).to_contain_text("Version 2")
    page.goto(f"{support.url}/p/support/datasets/questions?against=1")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("nobody knows")
    expect(page.locator(".foot")).to_contain_text("1 changed")


def test_a_failing_agent_is_found_and_kept_as_a_case_with_the_keyboard_alone(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{support.url}/p/support/traces")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("status_code = 'ERROR' AND type = 'tool'")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("where="))
    page.keyboard.press("Escape")
    expect(page.get_by_role("row").nth(1)).to_contain_text("error")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("treeitem").first).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_role("complementary")).to_contain_text("did not answer")
    page.keyboard.press("d")
    page.keyboard.type("failures")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 added to failures, version 1")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page.get_by_role("link", name="failures")).to_be_visible()


def test_a_file_becomes_a_dataset_and_more_of_it_a_version(
    support: Server, open_page: OpenPage
) -> None:
    lines = 'input,expected,tier\n"Where is it, please?",In Bonn.,pro\nHow much?,€4,free\n'
    first: FilePayload = {
        "name": "by file.csv",
        "mimeType": "text/csv",
        "buffer": lines.encode(),
    }
    more: FilePayload = {**first, "name": "more.jsonl", "buffer": b'{"input": "When?"}\n'}
    page = open_page(f"{support.url}/p/support/datasets")
    expect(page.get_by_role("link", name="questions")).to_be_visible()
    page.keyboard.press("a")
    page.get_by_label("File: JSON, a line of JSON each, or CSV").set_input_files(first)
    expect(page.get_by_role("dialog")).to_contain_text("2 cases found")
    page.get_by_role("button", name="Add 2 cases").click()
    expect(page).to_have_url(re.compile("/datasets/by%20file"))
    expect(page.get_by_role("row").nth(1)).to_contain_text("Where is it, please?")
    expect(page.get_by_role("row").nth(1)).to_contain_text("tier: pro")
    page.get_by_role("button", name="Add a file").click()
    page.get_by_label("File: JSON, a line of JSON each, or CSV").set_input_files(more)
    page.get_by_role("button", name="Add 1 case").click()
    expect(page.locator(".head")).to_contain_text("Version 2")
    expect(page.get_by_role("row")).to_have_count(4)
