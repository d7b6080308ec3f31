"""The guide is true: the newcomer's walk runs from an empty folder, recipes answer, pages name what there is."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracestore
from data import processes
from docs import limits_page, reference_page
from tracestore.client import AsyncClient
from tracestore.demo.support import support_day

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"

MOST_COMMANDS = 10


def console(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yields each command of a page's consoles, and the lines that the page shows below it."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            yield command, [line for line in shown if line and line != "…"]


def test_the_newcomers_walk(tmp_path: Path) -> None:
    text = (GUIDE / "start.md").read_text(encoding="utf-8")
    for name, code in re.findall(
        r"^`(\w+\.py)`:\n\n```python\n(.*?)```", text, re.DOTALL | re.MULTILINE
    ):
        (tmp_path / name).write_text(code, encoding="utf-8")
    (serve, banner), *commands = console(text)
    assert serve == "tracestore serve &"
    assert len(commands) + 1 < MOST_COMMANDS
    with processes.serving(tmp_path / "tracestore-data", "--grpc-port", "-1") as server:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TRACESTORE_URL": server.url,
            "TRACESTORE_API_KEY": "",
        }
        assert banner == ["tracestore serves tracestore-data"]
        for command, shown in commands:
            done = processes.run(["sh", "-c", command], cwd=tmp_path, env=environment)
            printed = done.stdout + done.stderr
            assert done.returncode == 0, f"{command}: {printed}"
            for line in shown:
                assert line.rstrip() in printed, f"{command}: {printed}"
    traces = re.findall(r"^  traces  ([0-9a-f]{32}) → ([0-9a-f]{32})$", printed, re.MULTILINE)
    assert traces, "the regression names the traces of both runs"


def recipes() -> list[tuple[str, str]]:
    text = (GUIDE / "recipes.md").read_text(encoding="utf-8")
    return re.findall(r"^## (.+?)\n.*?```sql\n(.*?)```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tracestore.Store]:
    with tracestore.open(tmp_path_factory.mktemp("recipes") / "store", background=False) as opened:
        opened.insert("spans", support_day(1_790_000_000_000_000_000), project="support")
        run = "SELECT input, output FROM spans WHERE is_root AND input IS NOT NULL ORDER BY start_ns LIMIT 20"
        cases = [{**row, "name": "case", "scores": {"right": 0.5}} for row in opened.sql(run)]
        opened.insert("spans", cases, project="support", experiment="trial")
        for row in opened.sql(
            "SELECT trace_id, span_id FROM spans WHERE is_root AND experiment IS NULL LIMIT 3"
        ):
            opened.score((row["trace_id"], row["span_id"]), "helpful", 0.2, project="support")
        yield opened


@pytest.mark.parametrize(("title", "sql"), recipes(), ids=[title for title, _ in recipes()])
def test_a_recipe_answers(title: str, sql: str, store: tracestore.Store) -> None:
    answer = store.sql(sql)
    assert answer.rows() or "retrieval" in title
    assert answer.warnings == []


@pytest.mark.parametrize("page", ["client.md", "instrument.md", "recipes.md"])
def test_a_snippet_of_python_prints_what_the_page_says(page: str, tmp_path: Path) -> None:
    text = (GUIDE / page).read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", text, re.DOTALL)
    assert snippets
    for code, output in snippets:
        environment = {
            **os.environ,
            "OTEL_BSP_EXPORT_TIMEOUT": "1",
            "TRACESTORE_URL": "http://127.0.0.1:1",
        }
        done = processes.run([sys.executable, "-c", code], cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        assert not output or done.stdout == output


def test_the_pages_of_the_client_name_its_verbs() -> None:
    text = (GUIDE / "client.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", text))
    for kind in (tracestore.Client, AsyncClient):
        verbs = {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"}
        assert verbs - words == set()


def test_the_page_of_limits_is_made_from_them() -> None:
    assert limits_page.PAGE.read_text(encoding="utf-8") == limits_page.page()
    assert list(limits_page.names_without_reason()) == []


def test_the_reference_is_made_from_the_code() -> None:
    assert reference_page.PAGE.read_text(encoding="utf-8") == reference_page.page()
    assert list(reference_page.without_words()) == []


def test_every_page_is_in_the_site() -> None:
    docs = GUIDE.parent
    listed = (docs.parent / "mkdocs.yml").read_text(encoding="utf-8")
    home = (docs / "index.md").read_text(encoding="utf-8")
    for page in docs.rglob("*.md"):
        assert (
            f": {page.relative_to(docs)}\n" in listed or f"- {page.relative_to(docs)}\n" in listed
        )
    for page in GUIDE.glob("*.md"):
        assert f"guide/{page.name}" in home or page.name == "glossary.md"
    assert "guide/sdks/README.md" in home
