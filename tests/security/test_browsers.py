"""A page of another origin neither reads from nor writes to a server that asks nobody for a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data import processes
from tracestore.server import OpenAddressError, Server, ServerSettings

ROW = b'{"name":"sent"}'
NDJSON = {"content-type": "application/x-ndjson"}
APP = "https://app.example.com"


def settings(folder: Path, **more: object) -> ServerSettings:
    return ServerSettings(data=folder / "store", port=0, grpc_port=-1, **more)  # type: ignore[arg-type]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(settings(tmp_path)) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client:
        yield client


def rows(http: httpx.Client) -> int:
    answer = http.post("/api/query", json={"sql": "SELECT count(*) FROM spans"})
    assert answer.status_code == 200
    count: int = answer.json()["rows"][0][0]
    return count


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:3000"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_is_refused(http: httpx.Client, headers: dict[str, str]) -> None:
    requests = [
        http.build_request("POST", "/api/import", content=ROW, headers={**NDJSON, **headers}),
        http.build_request("POST", "/api/import", content=ROW, headers=headers),
        http.build_request("POST", "/api/datasets/rows?name=d", content=ROW, headers=headers),
        http.build_request("POST", "/v1/traces", content=b"", headers=headers),
        http.build_request("POST", "/api/query", json={"sql": "SELECT 1"}, headers=headers),
        http.build_request("DELETE", "/api/datasets?name=d", headers=headers),
        http.build_request("GET", "/api/schema", headers=headers),
        http.build_request("GET", "/metrics", headers=headers),
        http.build_request("OPTIONS", "/api/import", headers=headers),
    ]
    assert {http.send(each).status_code for each in requests} == {403}
    assert rows(http) == 0


HOSTS = ["evil.example", "rebind.evil.example:4318", "10.0.0.1", "localhost.evil.example", "", "x"]


@pytest.mark.parametrize("host", HOSTS)
def test_another_name_is_refused(http: httpx.Client, host: str) -> None:
    for path in ("/api/schema", "/api/schema/", "/healthz", "/"):
        answer = http.get(path, headers={"host": host})
        assert answer.status_code == 421
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    "host", ["localhost:4318", "LOCALHOST", "a.localhost", "127.0.0.5", "[::1]:80"]
)
def test_loopback_names_are_taken(http: httpx.Client, host: str) -> None:
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert http.get("/api/schema", headers=headers).status_code == 200


def test_a_link_from_elsewhere_opens_a_page_and_no_data(http: httpx.Client) -> None:
    link = {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    assert http.get("/docs", headers=link).status_code == 200
    assert http.get("/docs", headers={**link, "sec-fetch-dest": "iframe"}).status_code == 403
    assert http.get("/api/schema", headers=link).status_code == 403


def test_more_names_are_a_setting(tmp_path: Path) -> None:
    with Server(settings(tmp_path, allowed_hosts="traces.example.com, other")) as server:
        for host in ("traces.example.com", "traces.example.com:443", "other"):
            headers = {"host": host, "origin": "https://traces.example.com"}
            assert httpx.get(f"{server.url}/api/schema", headers=headers).status_code == 200
        assert httpx.get(f"{server.url}/", headers={"host": "third"}).status_code == 421


KINDS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "path", ["/api/import", "/api/datasets/rows?name=d", "/api/query", "/api/patch", "/api/export"]
)
def test_bodies_of_other_kinds_are_refused(http: httpx.Client, path: str, kind: str) -> None:
    answer = http.post(path, content=b"{}", headers={"content-type": kind})
    assert answer.status_code == 415
    assert answer.json()["hint"].startswith("send Content-Type: application/")


# --- pages that are allowed ------------------------------------------------------------------------


def test_a_listed_origin_sends_and_reads_with_a_preflight(tmp_path: Path) -> None:
    with Server(settings(tmp_path, cors_origins=[APP])) as server:
        asked = httpx.options(
            f"{server.url}/v1/traces",
            headers={
                "origin": APP,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type,x-tracestore-project",
            },
        )
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == APP
        assert "authorization" in asked.headers["access-control-allow-headers"]
        sent = httpx.post(
            f"{server.url}/api/import", content=ROW, headers={**NDJSON, "origin": APP}
        )
        assert sent.status_code == 200
        assert sent.headers["access-control-allow-origin"] == APP
        other = httpx.post(
            f"{server.url}/api/import",
            content=ROW,
            headers={**NDJSON, "origin": "https://other.example.com"},
        )
        assert other.status_code == 403
        assert "access-control-allow-origin" not in other.headers


def test_every_origin_is_listed_only_where_keys_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OpenAddressError, match="every origin"):
        Server(settings(tmp_path, cors_origins=["*"]))


# --- what browsers are told ------------------------------------------------------------------------


def test_every_answer_tells_browsers_what_it_may_do(http: httpx.Client) -> None:
    answers = [
        http.get("/docs"),
        http.get("/nothing"),
        http.get("/api/schema"),
        http.get("/healthz", headers={"host": "evil.example"}),
        http.post("/api/query", json={"sql": "SELECT nothing"}),
    ]
    assert [each.status_code for each in answers] == [200, 404, 200, 421, 400]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers


def test_the_documentation_loads_nothing_from_elsewhere(http: httpx.Client) -> None:
    page = http.get("/docs").text
    assert "<script" not in page
    links = re.findall(r"(?:src|href)='([^']+)'", page)
    assert links
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    assert {http.get(link).status_code for link in links} == {200}
    for path in http.get("/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in page


# --- paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v1/trace", "/v1/spans", "/traces"])
def test_data_sent_to_a_wrong_path_is_told_the_right_one(http: httpx.Client, path: str) -> None:
    for kind in ("application/x-protobuf", "application/json"):
        answer = http.post(path, content=b"{}", headers={"content-type": kind})
        assert answer.status_code in {404, 405}
        assert b"/v1/traces" in answer.content
