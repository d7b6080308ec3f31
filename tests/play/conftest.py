"""A server of tracestore whose providers are the stub of the models, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracestore.client import Client
from tracestore.demo import stub_model
from tracestore.demo.stub_model import StubModel
from tracestore.play.providers.settings import ProviderSettings
from tracestore.server import Server, ServerSettings

KEYS = {
    "PLAY_TEST_OPENAI": "sk-stub-0123456789abcdef",
    "PLAY_TEST_ANTHROPIC": "sk-ant-fedcba987654",
}


def providers(url: str, **more: Any) -> dict[str, ProviderSettings]:
    """Returns the stub as a provider of each kind."""
    return {
        "stub": ProviderSettings(
            kind="openai", base_url=f"{url}/v1", key="PLAY_TEST_OPENAI", **more
        ),
        "ant": ProviderSettings(kind="anthropic", base_url=url, key="PLAY_TEST_ANTHROPIC", **more),
    }


@pytest.fixture
def stub() -> Iterator[StubModel]:
    with stub_model.serving() as running:
        yield running


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    return KEYS


@pytest.fixture
def server(tmp_path: Path, stub: StubModel, keys: dict[str, str]) -> Iterator[Server]:
    del keys
    settings = ServerSettings(
        data=tmp_path / "store",
        port=0,
        grpc_port=-1,
        durability="async",
        providers=providers(stub.url),
        prices={"stub": {"input": 1.0, "output": 2.0}},
    )
    with Server(settings) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made
