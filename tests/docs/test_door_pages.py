"""A page on a door is a program that prints what it says, with a server where the page says one is."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracestore.client import Client
from tracestore.server import Server, ServerSettings

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
BLOCK = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", re.DOTALL)
SAID = "http://127.0.0.1:4318"
SAID_FLIGHT = "127.0.0.1:31337"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1, flight_port=0)
    with Server(settings) as running:
        # The first statement makes the query layer; a client of a page waits five seconds for it.
        with Client(running.url) as client:
            client.sql("SELECT 1")
        yield running


@pytest.mark.parametrize(
    ("page", "package"),
    [
        ("dashboards.md", "httpx"),
        ("agents.md", "mcp"),
        ("jaeger.md", "httpx"),
        ("tempo.md", "httpx"),
        ("flight.md", "adbc_driver_flightsql"),
    ],
)
def test_the_program_prints_what_the_page_says(page: str, package: str, server: Server) -> None:
    pytest.importorskip(package, reason="the page's package is not installed")
    blocks = BLOCK.findall((GUIDE / page).read_text())
    assert blocks
    names: dict[str, Any] = {}
    for code, output in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            said = code.replace(SAID, server.url)
            said = said.replace(SAID_FLIGHT, f"127.0.0.1:{server.flight_port}")
            exec(compile(said, page, "exec"), names)
        assert printed.getvalue() == output
