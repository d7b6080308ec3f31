"""The JavaScript SDK's three exporters, run with Node."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest

from data import processes
from tracestore.server import Server

SOURCE = Path(__file__).parent / "javascript"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("javascript")
    for file in SOURCE.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    install = [npm, "install", "--no-audit", "--no-fund", "--silent"]
    done = processes.run(install, cwd=folder)
    if done.returncode != 0:
        pytest.skip(f"npm could not install the exporters: {done.stderr[-300:]}")
    return folder / "send.mjs"


@pytest.mark.parametrize("kind", ["http", "proto", "grpc"])
def test_every_span_of_the_javascript_sdk_arrives_once(
    server: Server, http: httpx.Client, program: Path, kind: str
) -> None:
    url = f"http://127.0.0.1:{server.grpc_port}" if kind == "grpc" else f"{server.url}/v1/traces"
    command = ["node", str(program), kind, url]
    processes.run(command, check=True)
    sql = "SELECT name, status_code, attributes, events[0].name AS event FROM spans ORDER BY name"
    rows = http.post("/api/query", json={"sql": sql}).json()["rows"]
    assert [row[0] for row in rows] == ["child", "root"]
    assert (rows[0][1], rows[0][3]) == ("ERROR", "exception")
    expected = {"s": "text", "f": 0.5, "b": True, "list": ["x", "y"], "i": 7, "numbers": [1, 2]}
    assert rows[1][2] == expected
