"""Datasets over HTTP and on the command line: the same verbs, keys and projects kept apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import tracestore
from tracestore.cli import app
from tracestore.client import Client, ClientError
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def spans(count: int) -> list[dict[str, Any]]:
    return [
        {"trace_id": f"{n + 1:032x}", "span_id": f"{n + 1:016x}", "input": {"n": n}, "output": n}
        for n in range(count)
    ]


def test_a_client_has_the_verbs_of_a_store(client: Client) -> None:
    name = "folder/with 'quotes'"
    client.insert("spans", spans(5))
    report = client.datasets.add(name, sql="SELECT * FROM spans")
    assert (report["added"], report["version"]) == (5, 1)
    assert client.datasets.add(name, [{"id": "x", "input": "i"}])["rows"] == 6
    assert client.datasets.update(name, [{"id": "x", "expected": 9}])["updated"] == 1
    assert client.datasets.snapshot(name, "golden", version=1) == 1
    assert client.datasets.delete(name, ["x"])["deleted"] == 1
    assert len(list(client.datasets.rows(name))) == 5
    assert [row["expected"] for row in client.datasets.rows(name, 3) if row["id"] == "x"] == [9]
    assert len(list(client.datasets.rows(name, "golden", project="default"))) == 5
    (listed,) = client.datasets.list(name)
    assert (listed["version"], listed["rows"], listed["snapshots"]) == (4, 5, {"golden": 1})
    assert client.datasets.drop(name) == 8
    assert client.datasets.list() == []


@pytest.mark.parametrize(
    ("call", "status", "message"),
    [
        (lambda c: c.datasets.add("d", [{"expected": 1}]), 400, "no input"),
        (lambda c: c.datasets.add("d", sql="SELECT 1 AS x"), 400, "cannot keep columns"),
        (lambda c: c.datasets.add("d", sql="DROP TABLE x"), 403, "only SELECT"),
        (lambda c: c.datasets.delete("d", ["a"]), 404, "cannot find dataset"),
        (lambda c: c._http.post("/api/datasets/rows?name=d", content=b"[1]"), 400, "no object"),
        (lambda c: c._http.post("/api/datasets/rows?name=d", content=b"{"), 400, "not JSON"),
    ],
)
def test_what_goes_wrong_says_so(client: Client, call: Any, status: int, message: str) -> None:
    try:
        response = call(client)
    except ClientError as error:
        assert (error.status, message in str(error)) == (status, True)
    else:
        assert (response.status_code, message in response.text) == (status, True)


def test_keys_bound_to_projects_stay_in_them(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with tracestore.open(folder) as store:
        store.insert("spans", spans(2), project="mine")
        store.insert("spans", spans(3), project="theirs")
        store.datasets.add("d", [{"id": "secret", "input": 1}], project="theirs")
    ring = KeyRing(folder)
    _, both = ring.create("both", ["ingest", "read"], ["mine"])
    _, all_of_mine = ring.create("all of mine", ["admin"], ["mine"])
    _, reads = ring.create("reads", ["read"], ["mine"])
    _, sends = ring.create("sends", ["ingest"], ["mine"])
    settings = ServerSettings(data=folder, port=0, grpc_port=-1, require_keys=True)
    with Server(settings) as server, Client(server.url, both) as client:
        assert client.datasets.list() == []
        assert client.datasets.add("d", sql="SELECT * FROM spans")["rows"] == 2
        assert [each["project"] for each in client.datasets.list()] == ["mine"]
        with pytest.raises(ClientError, match="not bound to it"):
            client.datasets.add("d", [{"input": 1}], project="theirs")
        with pytest.raises(ClientError, match="no scope 'admin'"):
            client.datasets.drop("d")
        with Client(server.url, all_of_mine) as admin:
            with pytest.raises(ClientError, match="not bound to it"):
                admin.datasets.drop("d", project="theirs")
            admin.datasets.add("e", [{"input": 1}])
            assert admin.datasets.drop("e") == 1
        with Client(server.url, reads) as other:
            assert len(list(other.datasets.rows("d"))) == 2
            with pytest.raises(ClientError, match="no scope 'ingest'"):
                other.datasets.add("d", [{"input": 1}])
            with pytest.raises(ClientError, match="no scope 'ingest'"):
                other.datasets.delete("d", ["x"])
        with Client(server.url, sends) as other:
            assert other.datasets.add("d", [{"input": 1}])["rows"] == 3
            with pytest.raises(ClientError, match="no scope 'read'"):
                other.datasets.add("d", sql="SELECT * FROM spans")
            with pytest.raises(ClientError, match="no scope 'read'"):
                other.datasets.list()
    ring.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})


@pytest.mark.parametrize("remote", [False, True])
def test_the_command_line_does_it_all(tmp_path: Path, *, remote: bool) -> None:
    data = tmp_path / "store"
    with tracestore.open(data) as store:
        store.insert("spans", spans(4))
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "x", "input": "i"}\n\n{"id": "y", "input": "j"}\n')
    if remote:
        with Server(ServerSettings(data=data, port=0, grpc_port=-1)) as server:
            _walk(["--url", server.url], rows)
    else:
        _walk(["--data", str(data)], rows)


def _walk(where: list[str], rows: Path) -> None:
    added = run("dataset", "add", "d", "--sql", "SELECT * FROM spans", *where)
    assert "4 added, 0 updated, 0 unchanged; version 1 has 4 rows" in " ".join(added.stderr.split())
    assert run("dataset", "add", "d", str(rows), *where).exit_code == 0
    assert run("dataset", "snapshot", "d", "golden", "--version", "1", *where).exit_code == 0
    listed = json.loads(run("dataset", "list", "--format", "json", *where).stdout)
    assert [(row["name"], row["rows"], row["snapshots"]) for row in listed] == [
        ("d", 6, ["golden"])
    ]
    shown = run("dataset", "show", "d", "--version", "golden", "--format", "ndjson", *where)
    assert len(shown.stdout.splitlines()) == 4
    shown = run("dataset", "show", "d", "--limit", "2", "--format", "ndjson", *where)
    assert len(shown.stdout.splitlines()) == 2
    versions = run("dataset", "show", "d", "--versions", "--format", "json", *where)
    assert [row["rows"] for row in json.loads(versions.stdout)] == [4, 6]
    assert "1 deleted; version 3" in run("dataset", "delete", "d", "--id", "x", *where).stderr
    missing = run("dataset", "show", "nothing", *where)
    assert (missing.exit_code, "nothing" in str(missing.exception)) == (1, True)
    assert run("dataset", "add", "d", *where).exit_code == 2
    assert run("dataset", "delete", "d", "--yes", *where).exit_code == 0
    assert json.loads(run("dataset", "list", "--format", "json", *where).stdout) == []
