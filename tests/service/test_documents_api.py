"""Saved documents and the running of a server over HTTP: who may do what, and what the second of two is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracestore.client import Client, ClientError
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing


@pytest.fixture(params=[False, True], ids=["one process", "engine process"])
def keyed(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, Client]]:
    """Gives clients with keys of different rights."""
    data = tmp_path / "store"
    data.mkdir()
    rights = {
        "admin": (["admin"], None),
        "shop admin": (["admin"], ["shop"]),
        "writer": (["ingest", "read"], ["shop"]),
        "reader": (["read"], ["shop"]),
        "sender": (["ingest"], None),
    }
    ring = KeyRing(data)
    texts = {
        name: ring.create(name, scopes, projects)[1] for name, (scopes, projects) in rights.items()
    }
    ring.close()
    settings = ServerSettings(
        data=data, port=0, grpc_port=-1, require_keys=True, engine_process=request.param
    )
    with Server(settings) as server:
        clients = {name: Client(server.url, text) for name, text in texts.items()}
        yield clients
        for client in clients.values():
            client.close()


def status(client: Client) -> dict[str, Any]:
    told: dict[str, Any] = client._send("GET", "/api/status").json()
    return told


def refused(error: pytest.ExceptionInfo[ClientError]) -> int | None:
    return error.value.status


def test_two_people_who_change_one_document(keyed: dict[str, Client]) -> None:
    ann, bob = keyed["writer"].documents, keyed["shop admin"].documents
    board = ann.create("board", "Traffic", {"tiles": []}, project="shop")
    assert board["author"] == "writer"
    where: dict[str, Any] = {"project": "shop"}
    bob.save("board", board["document_id"], {"tiles": [1]}, version=1, **where)
    with pytest.raises(ClientError, match="version 2 was saved by shop admin") as error:
        ann.save("board", board["document_id"], {"tiles": [2]}, version=1, **where)
    assert refused(error) == 409
    newest = ann.get("board", board["document_id"], **where)
    ann.save("board", board["document_id"], {"tiles": [1, 2]}, version=newest["version"], **where)
    versions = ann.versions("board", board["document_id"], **where)
    assert [each["author"] for each in versions] == ["writer", "shop admin", "writer"]
    old = ann.get("board", board["document_id"], version=2, **where)
    assert old["body"] == {"tiles": [1]}
    ann.delete("board", board["document_id"], version=3, **where)
    assert ann.list("board", **where) == []


def test_a_key_sees_and_changes_documents_as_its_scopes_and_projects_say(
    keyed: dict[str, Client],
) -> None:
    keyed["admin"].documents.create("view", "mine", {"search": "a=1"}, project="bank")
    view = keyed["admin"].documents.create("view", "ours", {"search": "b=1"}, project="shop")
    reader = keyed["reader"].documents
    assert [each["name"] for each in reader.list("view", bodies=True)] == ["ours"]
    assert reader.list("view", project="bank") == []
    with pytest.raises(ClientError) as error:
        reader.create("view", "x", {}, project="shop")
    assert refused(error) == 403
    with pytest.raises(ClientError) as error:
        keyed["sender"].documents.create("view", "x", {}, project="shop")
    assert refused(error) == 403
    with pytest.raises(ClientError) as error:
        keyed["writer"].documents.create("view", "x", {}, project="bank")
    assert refused(error) == 403
    with pytest.raises(ClientError) as error:
        reader.get("view", "0" * 26, project="shop")
    assert refused(error) == 404
    assert reader.get("view", view["document_id"], project="shop")["body"] == {"search": "b=1"}


def test_keys_are_made_and_ended_within_the_projects_of_who_asks(keyed: dict[str, Client]) -> None:
    boss, shop = keyed["admin"].keys, keyed["shop admin"].keys
    made = shop.create("helper", ["read"])
    assert made["projects"] == ["shop"]
    assert made["text"].startswith("ts_")
    with pytest.raises(ClientError) as error:
        shop.create("too far", ["read"], ["bank"])
    assert refused(error) == 403
    assert {each["name"] for each in shop.list()} == {
        "shop admin",
        "writer",
        "reader",
        "helper",
    }
    assert all("hash" not in each and "text" not in each for each in boss.list())
    sender = next(each for each in boss.list() if each["name"] == "sender")
    with pytest.raises(ClientError) as error:
        shop.revoke(sender["key_id"])
    assert refused(error) == 404
    boss.revoke(sender["key_id"])
    shop.revoke(made["key_id"])
    ended = {each["name"] for each in boss.list() if each["revoked_ns"] is not None}
    assert ended == {"helper", "sender"}
    with pytest.raises(ClientError) as error:
        keyed["writer"].keys.list()
    assert refused(error) == 403


def test_the_state_of_a_server_tells_nothing_of_other_projects(keyed: dict[str, Client]) -> None:
    told = status(keyed["reader"])
    assert (told["folder"], told["numbers"]) == (None, None)
    told = status(keyed["admin"])
    assert told["folder"] is not None
    assert told["numbers"]["segments"] == 0
