"""Prompts tried on real rows by keys alone: answers stream in, nothing typed is lost, and two people see each other."""

from __future__ import annotations

import json
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from data.processes import HANG_S, serving
from tracestore.client import Client
from tracestore.demo import stub_model
from tracestore.demo.stub_model import StubModel
from tracestore.play.providers.settings import ProviderSettings
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

OpenPage = Callable[..., Page]

QUESTIONS = (
    ("Where is my parcel?", "parcel"),
    ("I want my money back", "refund"),
    ("Invoice me again, please", "invoice"),
)
ASK = [
    {"role": "system", "content": "Name the topic in one word."},
    {"role": "user", "content": "{{input.question}}"},
]


@pytest.fixture(scope="module")
def stub() -> Iterator[StubModel]:
    with stub_model.serving() as running:
        yield running


def settings_of(data: Path, stub: StubModel, port: int = 0) -> ServerSettings:
    """Returns the settings of a server whose one provider is the stub."""
    return ServerSettings(
        data=data,
        port=port,
        grpc_port=-1,
        providers={"stub": ProviderSettings(kind="openai", base_url=f"{stub.url}/v1")},
        prices={"stub": {"input": 1.0, "output": 2.0}},
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, stub: StubModel) -> Iterator[Server]:
    with Server(settings_of(tmp_path_factory.mktemp("play") / "store", stub)) as running:
        with Client(running.url) as client:
            rows = [{"input": {"question": each}, "expected": topic} for each, topic in QUESTIONS]
            client.datasets.add("topics", rows, project="shop")
            client.insert("spans", [failed_call()], project="shop")
        yield running


def failed_call() -> dict[str, Any]:
    """Returns a call of a model whose answer was wrong."""
    return {
        "trace_id": "ab" * 16,
        "span_id": "cd" * 8,
        "name": "chat stub-small",
        "type": "llm",
        "start_ns": time.time_ns() - 10**9,
        "duration_ns": 10**8,
        "status_code": "ERROR",
        "status_message": "the wrong team was asked",
        "input": [
            {"role": "system", "content": "Name the topic in one word."},
            {"role": "user", "content": "Hello there, where is my parcel?"},
        ],
        "output": {"role": "assistant", "content": "other"},
        "metadata": {"model": "stub-small", "provider": "stub"},
    }


def new_play(url: str, **body: Any) -> str:
    """Makes a play of the dataset with a column of each model; returns its address."""
    models = body.pop("models", ["stub"])
    columns = {
        f"c{number}": {
            "name": model,
            "messages": ASK,
            "template": "mustache",
            "provider": "stub",
            "model": model,
        }
        for number, model in enumerate(models)
    }
    rows = body.pop("rows", {"source": "dataset", "dataset": "topics", "limit": 200})
    play = {"rows": rows, "columns": columns, "order": list(columns), **body}
    name = f"Topics {time.time_ns()}"
    made = asked(url, "POST", "/api/play", {"name": name, "body": play})
    return f"{url}/p/shop/play/{made['document_id']}"


def asked(url: str, method: str, path: str, body: Any = None) -> Any:
    """Returns what a server answers."""
    answer = httpx.request(
        method, url + path, json=body, params={"project": "shop"}, timeout=HANG_S
    )
    assert answer.is_success, answer.text
    return answer.json()


def cells(page: Page) -> Any:
    return page.get_by_role("gridcell")


def saved(page: Page) -> None:
    """Waits until the server has what was typed."""
    expect(page.locator("[data-saved]")).to_be_visible()


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
