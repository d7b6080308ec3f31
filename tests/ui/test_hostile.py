"""What spans hold is text: never markup, never a request, never a broken page, however large or odd it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tracestore.client import Client
from tracestore.server import Server, ServerSettings

OpenPage = Callable[..., Page]

EVIL: Final = (
    "<script>window.owned=1</script><img src=x onerror='window.owned=1'>[x](javascript:window.owned=1) "
    "![y](http://evil.example/y.png)"
)
RTL: Final = "\u202eright to left\u202c"
TRACE: Final = "a" * 32


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("hostile") / "store"
    settings = ServerSettings(data=data, port=0, grpc_port=-1, durability="async")
    with Server(settings) as server, Client(server.url) as client:
        image = {"type": "image_url", "image_url": {"url": "http://evil.example/x.png"}}
        content = [{"type": "text", "text": EVIL}, image]
        message = {"role": EVIL, "name": EVIL, "content": content}
        call = {"id": EVIL, "function": {"name": EVIL, "arguments": EVIL}}
        span: dict[str, Any] = {
            "trace_id": TRACE,
            "span_id": "b" * 16,
            "name": EVIL + RTL,
            "type": "llm",
            "service": EVIL,
            "status_code": "ERROR",
            "status_message": EVIL,
            "input": [message, {"role": "user", "content": "w" * 1_000_000}],
            "output": [{"role": "assistant", "content": f"a\u0000b {EVIL}", "tool_calls": [call]}],
            "metadata": {"model": EVIL, EVIL: EVIL},
            "attributes": {"long": "x" * 1_000_000, EVIL: 1},
            "tags": [EVIL],
            "scores": {EVIL: 0.5},
            "error": {"type": EVIL, "message": EVIL},
            "events": [{"name": EVIL, "attributes": {"exception.stacktrace": EVIL}}],
        }
        client.insert("spans", [span], project="evil <b>")
        huge = {
            "trace_id": "c" * 32,
            "span_id": "d" * 16,
            "name": "huge",
            "output": "line of twenty bytes\n" * 1_000_000,
        }
        client.insert("spans", [huge], project="evil <b>")
        yield server


def test_every_field_of_a_span_is_text(hostile: Server, open_page: OpenPage) -> None:
    page = open_page(f"{hostile.url}/")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.goto(f"{hostile.url}/p/evil%20%3Cb%3E/trace/{TRACE}")
    for tab in ("Chat", "Fields", "Events", "Scores", "Raw"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tabpanel")).to_contain_text("script")
    page.goto(f"{hostile.url}/p/evil%20%3Cb%3E/trace/{TRACE}?mode=conversation")
    expect(page.get_by_role("article")).to_contain_text("script")
    assert page.evaluate("window.owned") is None
    assert page.locator("img[src*='evil']").count() == 0


def test_a_payload_of_twenty_megabytes_opens(hostile: Server, open_page: OpenPage) -> None:
    page = open_page(f"{hostile.url}/p/evil%20%3Cb%3E/trace/{'c' * 32}?tab=raw")
    expect(page.locator(".virtual-box")).to_contain_text("22 MB")
    text = page.get_by_role("group", name="Text")
    text.evaluate("element => { element.scrollTop = element.scrollHeight / 2; }")
    expect(text).to_contain_text("line of twenty bytes")
    assert page.locator(".virtual-line").count() < 200


def test_a_trace_of_a_hundred_thousand_spans_opens_and_scrolls(
    hostile: Server, open_page: OpenPage
) -> None:
    trace_id, many = "7" * 32, 100_000
    rows = (
        {
            "trace_id": trace_id,
            "span_id": f"{number + 1:016x}",
            **({"parent_span_id": f"{(number - 1) // 10 + 1:016x}"} if number else {}),
            "name": f"step {number}",
            "start_ns": 1_790_000_000_000_000_000 + number,
            "duration_ns": 1000,
        }
        for number in range(many)
    )
    with Client(hostile.url) as client:
        client.insert("spans", rows, project="large")
    page = open_page(f"{hostile.url}/p/large/trace/{trace_id}")
    expect(page.locator(".head")).to_contain_text("100,000 spans")
    assert page.get_by_role("treeitem").count() < 100
    tree = page.get_by_role("tree")
    tree.evaluate("element => { element.scrollTop = element.scrollHeight; }")
    expect(page.get_by_role("treeitem").last).to_contain_text("step ")
    page.keyboard.press("j")
    expect(page.get_by_role("complementary")).to_contain_text("step 1")
