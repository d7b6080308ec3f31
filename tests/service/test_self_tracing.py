"""The server traces itself where that is asked for, and does not trace the storing of its traces."""

from __future__ import annotations

from pathlib import Path

import httpx

import tracestore
from tracestore.server import Server, ServerSettings
from tracestore.serving.self_tracing import PROJECT


def test_each_request_is_one_span_and_there_is_no_loop(tmp_path: Path) -> None:
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1, self_trace=True)
    with Server(settings) as server, httpx.Client(base_url=server.url) as http:
        for _ in range(3):
            assert http.get("/healthz").status_code == 200
        assert http.post("/api/query", json={"sql": "SELECT nothing"}).status_code == 400
        assert http.get("/nowhere").status_code == 404
    with tracestore.open(tmp_path / "store") as store:
        rows = store.sql(
            "SELECT name, attributes.http.response.status_code AS status, count(*) AS n FROM spans "
            "WHERE project = $project AND service = 'tracestore' GROUP BY ALL ORDER BY ALL",
            {"project": PROJECT},
        ).rows()
    assert [tuple(row.values()) for row in rows] == [
        ("/api/query", 400, 1),
        ("/healthz", 200, 3),
        ("other", 404, 1),
    ]


def test_it_is_off_by_default(tmp_path: Path) -> None:
    with (
        Server(ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        http.get("/healthz")
        answer = http.post("/api/query", json={"sql": "SELECT count(*) AS n FROM spans"})
        assert answer.json()["rows"] == [[0]]
