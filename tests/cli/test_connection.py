"""Which store or server a command talks to: what is named wins, asking makes nothing, a server that runs is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import tracestore
from data.stores import span
from tracestore.cli import app
from tracestore.cli.command_list import COMMANDS
from tracestore.errors import ServerUnreachableError, StoreLockedError, StoreMissingError
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

COUNT = "SELECT count(*) AS n FROM spans"
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACESTORE_URL", "TRACESTORE_DATA", "TRACESTORE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with tracestore.open(tmp_path / "store") as store:
        store.insert("spans", [span(n) for n in range(3)])
    return tmp_path / "store"


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(ServerSettings(data=folder, port=0, grpc_port=-1)) as running:
        yield running


def run(*arguments: str, ok: bool = True, **environment: str) -> Result:
    result = CliRunner().invoke(app, list(arguments), env=environment)
    assert (result.exit_code == 0) is ok, result.output + str(result.exception)
    return result


def count(*arguments: str, **environment: str) -> int:
    printed = run("query", COUNT, "--format", "json", *arguments, ok=True, **environment).stdout
    return int(json.loads(printed)[0]["n"])


READERS = {
    "query": [COUNT],
    "schema": [],
    "trace": ["abcdef12"],
    "experiments": [],
    "compare": ["a", "b"],
    "export": ["--sql", COUNT, "-o", "-"],
    "stats": [],
    "check": [],
    "compact": [],
    "delete": ["--where", "true", "--dry-run"],
}


@pytest.mark.parametrize("name", READERS)
def test_asking_makes_no_store(name: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    result = run(name, *READERS[name], "--data", str(missing), ok=False)
    assert isinstance(result.exception, StoreMissingError)
    assert "--data" in str(result.exception) and "--url" in str(result.exception)
    assert not missing.exists()


@pytest.mark.parametrize("group", ["keys", "dataset", "projects"])
def test_listing_makes_no_store(group: str, tmp_path: Path) -> None:
    assert group in COMMANDS
    run(group, "list", "--data", str(tmp_path / "missing"), ok=False)
    assert not (tmp_path / "missing").exists()


def test_a_folder_that_is_named_wins_over_a_server_of_the_environment(folder: Path) -> None:
    assert count("--data", str(folder), TRACESTORE_URL=NOBODY) == 3
    assert count(TRACESTORE_DATA=str(folder)) == 3
    both = run("query", COUNT, "--data", str(folder), "--url", NOBODY, ok=False)
    assert "one of the two" in both.output


def test_a_server_that_is_down_is_one_line_with_its_url_and_a_remedy() -> None:
    for name, arguments in READERS.items():
        if name == "check":
            continue
        error = run(name, *arguments, "--url", NOBODY, ok=False).exception
        assert isinstance(error, ServerUnreachableError)
        assert NOBODY in str(error) and "tracestore serve" in str(error)
        assert "\n" not in str(error)
    with tracestore.Client(NOBODY) as client, pytest.raises(ConnectionError):
        list(client.export(COUNT, "text/csv"))
    for bad in (":::", "ftp://host", "no url"):
        with pytest.raises(ServerUnreachableError, match="cannot"):
            tracestore.Client(bad).sql("SELECT 1")


def test_a_folder_that_a_server_has_open_is_asked_through_the_server(
    folder: Path, server: Server
) -> None:
    data = ("--data", str(folder))
    with tracestore.Client(server.url) as client:
        client.insert("spans", [span(9)])
    assert count(*data) == 4
    source = folder.parent / "rows.jsonl"
    source.write_text(json.dumps(span(10)))
    run("import", str(source), *data)
    assert count(*data) == 5
    assert json.loads(run("stats", *data, "--format", "json").stdout)[0]["memory_rows"] == 2
    run("compact", *data)
    assert json.loads(run("stats", *data, "--format", "json").stdout)[0]["memory_rows"] == 0
    assert json.loads(run("check", *data, "--format", "json").stdout)[0]["faults"] == []
    checked = run("check", "--url", server.url, "--deep", "--format", "json").stdout
    assert json.loads(checked)[0]["rows"] == 5


def test_a_folder_that_another_process_writes_to_is_read(folder: Path) -> None:
    with tracestore.open(folder, background=False) as store:
        store.flush()
        store.insert("spans", [span(9)])
        result = run("query", COUNT, "--format", "json", "--data", str(folder))
        assert json.loads(result.stdout)[0]["n"] == 3
        assert "in memory are not seen" in result.stderr
        locked = run("import", str(folder / "LOCK"), "--data", str(folder), ok=False)
        assert isinstance(locked.exception, StoreLockedError)


def test_a_folder_in_use_is_named_with_its_url(folder: Path, server: Server) -> None:
    with pytest.raises(StoreLockedError, match=server.url) as caught:
        tracestore.open(folder)
    assert caught.value.url == server.url


def test_keys_are_given_by_option_or_environment_to_every_face(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    tracestore.open(folder).close()
    ring = KeyRing(folder)
    _, key = ring.create("all", ["admin"], None)
    ring.close()
    settings = ServerSettings(data=folder, port=0, grpc_port=-1, require_keys=True)
    with Server(settings) as server:
        url = ("--url", server.url)
        assert count(*url, "--key", key) == 0
        assert count(*url, TRACESTORE_API_KEY=key) == 0
        assert run("query", COUNT, *url, ok=False).exception is not None
        run("dataset", "list", *url, "--key", key)
        run("projects", "list", *url, TRACESTORE_API_KEY=key)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("TRACESTORE_URL", server.url)
            environment.setenv("TRACESTORE_API_KEY", key)
            with tracestore.Client() as client:
                assert client.sql("SELECT 1 AS one").rows() == [{"one": 1}]
