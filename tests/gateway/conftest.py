"""A server whose gateway leads to a stub of the models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data.processes import HANG_S
from sdks import stub_models
from tracestore.client import Client
from tracestore.play.providers.settings import ProviderSettings
from tracestore.server import Server, ServerSettings

PROVIDER_KEY = "sk-provider-0123456789abcdef"

Rows = list[dict[str, Any]]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[stub_models.Models]:
    monkeypatch.setenv("GATEWAY_TEST_KEY", PROVIDER_KEY)
    with stub_models.serving() as running:
        yield running


def settings(folder: Path, url: str, **more: Any) -> ServerSettings:
    """Returns the settings of a server that has the stub as a provider of each kind."""
    providers = {
        "openai": ProviderSettings(kind="openai", base_url=f"{url}/v1", key="GATEWAY_TEST_KEY"),
        "anthropic": ProviderSettings(kind="anthropic", base_url=url, key="GATEWAY_TEST_KEY"),
    }
    chosen = {"gateway_usd_per_day": 10.0, "providers": providers, **more}
    return ServerSettings(data=folder / "store", port=0, grpc_port=-1, durability="async", **chosen)


@pytest.fixture
def server(tmp_path: Path, models: stub_models.Models) -> Iterator[Server]:
    with Server(settings(tmp_path, models.url)) as running:
        yield running


def spans(server: Server, count: int, key: str | None = None, project: str | None = None) -> Rows:
    """Returns the spans that are stored, once there are so many: they are stored beside the connection."""
    deadline = time.monotonic() + HANG_S
    with Client(server.url, key) as client:
        while True:
            rows = client.sql("SELECT * FROM spans ORDER BY start_ns").rows()
            found = [row for row in rows if project in {None, row["project"]}]
            if len(found) >= count:
                assert len(found) == count
                return found
            assert time.monotonic() < deadline, f"{len(found)} spans of {count}"


@pytest.fixture
def stored(server: Server) -> Callable[[int], Rows]:
    return lambda count: spans(server, count)
