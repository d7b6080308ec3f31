"""The four jobs that people come for, with the mouse, from the first click to the last; and who runs it, by keys."""

from __future__ import annotations

import re
from collections.abc import Callable

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from playwright.sync_api import Page, expect

from tracestore.client import Client
from tracestore.demo.support_documents import BOARD, QUEUE
from tracestore.server import Server

OpenPage = Callable[..., Page]


def test_an_engineer_finds_why_an_agent_failed_and_keeps_it(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(support.url)
    page.get_by_role("link", name="Spans", exact=True).click()
    page.get_by_role("button", name="ERROR", exact=True).click()
    expect(page).to_have_url(re.compile("where=status_code"))
    expect(page.get_by_role("row").nth(1)).to_contain_text("error")
    page.get_by_role("row").nth(1).get_by_role("link").click()
    expect(page.get_by_role("complementary")).to_contain_text("did not answer")
    page.get_by_role("tab", name=re.compile("Fields")).click()
    expect(page.get_by_role("tabpanel")).to_contain_text("metadata.topic")
    page.get_by_role("button", name=re.compile("Add to dataset")).first.click()
    page.get_by_label("Dataset: one that is there, or a new name").fill("by mouse")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page).to_have_url(re.compile("/datasets/by%20mouse"))
    expect(page.get_by_role("row")).to_have_count(2)
    page.go_back()
    expect(page.get_by_role("tabpanel")).to_contain_text("metadata.topic")
    page.go_forward()
    expect(page.get_by_role("row")).to_have_count(2)


def test_a_team_sees_which_cases_a_prompt_made_worse(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/experiments")
    for name in ("short-answers", "name-the-dates"):
        page.get_by_role("row").filter(has_text=name).last.get_by_role("checkbox").check()
    page.get_by_role("link", name="Compare 2").click()
    expect(page).to_have_url(re.compile("/compare"))
    page.get_by_role("button", name=re.compile("Regressed")).click()
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("regressed")
    expect(row.locator("ins").first).to_be_visible()
    row.click(position={"x": 40, "y": 20})
    expect(page.get_by_role("complementary")).to_contain_text("Open trace")


def test_a_product_person_sees_what_users_ask_and_scores_a_sample(
    support: Server, open_page: OpenPage
) -> None:
    page = open_page(support.url)
    page.get_by_role("link", name=re.compile("^Boards")).click()
    page.get_by_role("link", name=BOARD).click()
    topics = page.get_by_role("region", name="What users ask")
    topics.get_by_role("button", name="invoice").click()
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.get_by_role("link", name=re.compile("^Review")).click()
    page.get_by_role("link", name=QUEUE).click()
    page.get_by_role("button", name="7: helpful 0.75").click()
    page.get_by_role("button", name="too long").click()
    page.get_by_role("button", name="Save and next").click()
    expect(page.locator(".progress")).to_contain_text("1 of")
    with Client(support.url) as client:
        found = client.sql(
            "SELECT count(*) AS n FROM spans WHERE metadata.labels.problem = 'too long'"
        )
        assert found.rows() == [{"n": 1}]


def test_whoever_runs_it_looks_at_its_health_by_keys(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/traces")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press(",")
    expect(page.get_by_role("heading", name="Retention")).to_be_visible()
    page.keyboard.press("]")
    expect(page.get_by_role("heading", name="There are no keys")).to_be_visible()
    page.keyboard.press("]")
    expect(page.get_by_role("grid", name="Result")).to_contain_text("attributes.retries")
    page.keyboard.press("f")
    expect(page.locator(".foot")).to_contain_text(re.compile(r"^4 of \d+ paths"))
    page.keyboard.press("]")
    expect(page.get_by_text("Every file is as it should be.")).to_be_visible()


def test_spans_of_exporters_are_shown_as_they_come(support: Server, open_page: OpenPage) -> None:
    page = open_page(f"{support.url}/p/support/traces?live=1&view=spans")
    expect(page.locator(".foot")).to_contain_text("live: 0 arrived")
    provider = TracerProvider(resource=Resource.create({"tracestore.project": "support"}))
    exporter = OTLPSpanExporter(endpoint=f"{support.url}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("live")
    for number in range(40):
        with tracer.start_as_current_span(f"exported {number}"):
            pass
    provider.shutdown()
    expect(page.get_by_text("exported 39")).to_be_visible()
