"""Scores and labels over HTTP and on the command line: the same verbs, keys and projects kept apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from typer.testing import CliRunner

import tracestore
from tracestore.cli import app
from tracestore.client import Client, ClientError
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

TRACE = "0af7651916cd43dd8448eb211c80319c"
SQL = (
    "SELECT scores, tags, expected, metadata FROM spans "
    f"WHERE trace_id = '{TRACE}' ORDER BY span_id LIMIT 1"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    chosen = ServerSettings(data=tmp_path_factory.mktemp("patch") / "s", port=0, grpc_port=-1)
    with Server(chosen) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def ids(number: int) -> dict[str, Any]:
    return {"trace_id": TRACE, "span_id": f"{number + 1:016x}"}


def test_a_client_has_the_verbs_of_a_store(client: Client) -> None:
    client.insert("spans", [ids(0), ids(1)])
    (row, _) = client.sql(f"SELECT * FROM spans WHERE trace_id = '{TRACE}' ORDER BY span_id").rows()
    client.score(row, "good", 0.5)
    client.score((TRACE, row["span_id"].upper()), "good", True, comment="really", author="ann")
    client.tag(row, "a", "b")
    client.expected(row, [1, {"x": None}])
    client.comment(row, "once more")
    (found,) = client.sql(SQL).rows()
    assert found["scores"] == {"good": True}
    assert found["tags"] == ["a", "b"]
    assert found["expected"] == [1, {"x": None}]
    texts = [(each["text"], each.get("author")) for each in found["metadata"]["comments"]]
    assert texts == [("really", "ann"), ("once more", None)]
    client.score(row, "good", None)
    client.expected(row, None)
    client.patch({**ids(0), "_object_delete": [["metadata"]], "tags": None})
    assert client.sql(SQL).rows() == [
        {"scores": {}, "tags": None, "expected": None, "metadata": None}
    ]
    assert client.patch({**ids(1), "scores": {"n": 1}} for _ in range(6000)) == 6000
    kinds = "SELECT typeof(scores.n) AS t FROM spans WHERE scores.n = 1"
    assert client.sql(kinds).rows() == [{"t": "int64"}]


def test_a_span_of_an_instrumented_program_is_scored(client: Client) -> None:
    with TracerProvider().get_tracer("t").start_as_current_span("mine") as made:
        client.score(made, "early", 1)
    context = made.get_span_context()
    ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    client.insert("spans", [{**ids, "name": "mine"}])
    sql = "SELECT span_id FROM spans WHERE scores.early = 1"
    assert client.sql(sql).rows() == [{"span_id": ids["span_id"]}]


@pytest.mark.parametrize(
    ("patch", "status", "words"),
    [
        ({"scores": {"a": "high"}}, 422, "scores"),
        ({"output": 1}, 422, "output"),
        ({}, 400, "changes nothing"),
        ({"_object_delete": [["input"]]}, 400, "begins with one of"),
        ({"trace_id": "", "tags": ["x"]}, 422, "trace_id"),
        ({"project": "p\0", "tags": ["x"]}, 400, "no text"),
    ],
)
def test_what_cannot_be_patched_says_so(
    client: Client, patch: dict[str, Any], status: int, words: str
) -> None:
    with pytest.raises(ClientError, match=words) as raised:
        client.patch({**ids(0), **patch})
    assert raised.value.status == status


def test_numbers_that_json_has_not_are_refused(server: Server) -> None:
    body = f'{{"patches": [{{"trace_id": "{TRACE}", "span_id": "01", "scores": {{"a": NaN}}}}]}}'
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{server.url}/api/patch", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


def test_keys_bound_to_projects_patch_only_those(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with tracestore.open(folder) as store:
        for project in ("mine", "other"):
            store.insert("spans", [ids(0)], project=project)
    ring = KeyRing(folder)
    _, sends = ring.create("sends", ["ingest"], ["mine"])
    _, reads = ring.create("reads", ["read"], ["mine"])
    settings = ServerSettings(data=folder, port=0, grpc_port=-1, require_keys=True)
    with Server(settings) as server:
        with Client(server.url, sends) as sender, Client(server.url, reads) as reader:
            sender.score(ids(0), "a", 1)
            with pytest.raises(ClientError, match="not bound") as raised:
                sender.score(ids(0), "a", 2, project="other")
            assert raised.value.status == 403
            with pytest.raises(ClientError, match="scope 'ingest'"):
                reader.score(ids(0), "a", 3)
            sql = "SELECT project, scores.a AS a FROM spans"
            assert reader.sql(sql).rows() == [{"project": "mine", "a": 1}]
        with Client(server.url) as nobody, pytest.raises(ClientError, match="API key"):
            nobody.score(ids(0), "a", 1)


def test_the_command_line_gives_scores(tmp_path: Path) -> None:
    data = str(tmp_path / "store")
    with tracestore.open(data) as store:
        store.insert("spans", [ids(0)])
    where = ["--data", data]
    for value, message in (("0.25", "scored"), ("high", "no number"), ("[1]", "no number")):
        done = CliRunner().invoke(app, ["score", TRACE, ids(0)["span_id"], "q", value, *where])
        assert (done.exit_code == 0, message in done.output) == (message == "scored", True)
    with tracestore.open(data) as store:
        assert store.sql("SELECT scores.q AS q FROM spans").rows() == [{"q": 0.25}]
