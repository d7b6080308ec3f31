"""The page on serving lists the settings and routes that there are."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from tracestore.server import Server, ServerSettings

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "guide" / "serving.md").read_text()


def test_the_settings_are_the_programs() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([^`]*)` \| (.*) \|$", TEXT, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(ServerSettings.model_fields)
    for name, default, meaning in rows:
        field = ServerSettings.model_fields[name]
        assert str(field.default) == default
        assert field.description is None or field.description == meaning


def test_the_table_has_every_route_and_its_scopes(tmp_path: Path) -> None:
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)
    with Server(settings) as server:
        paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    there = {
        (method.upper(), path): tuple(operation["x-scopes"])
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    rows = re.findall(r"^\| `([A-Z]+) (/\S+)` \| (.*?) \|", TEXT, re.MULTILINE)
    told = {
        (method, path): () if scopes == "none" else tuple(re.findall(r"`(\w+)`", scopes))
        for method, path, scopes in rows
    }
    assert told == there
