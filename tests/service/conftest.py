"""A real server on loopback, one for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data import processes
from tracestore.server import Server, ServerSettings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(ServerSettings(data=tmp_path / "store", port=0, grpc_port=0)) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client:
        yield client
