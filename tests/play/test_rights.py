"""What a key may do in Play: readers look, writers run, admins name providers; each in its projects alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from play.conftest import providers
from play.plays import column, typed
from tracestore.demo.stub_model import StubModel
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

BODY = {"rows": typed("a"), "columns": {"a": column()}}
PROMPT = {"messages": [{"role": "user", "content": "x"}], "provider": "stub", "model": "stub"}


@pytest.fixture
def asked(tmp_path: Path, stub: StubModel, keys: dict[str, str]) -> Iterator[Any]:
    """Gives what asks a server of keys as somebody."""
    del keys
    data = tmp_path / "store"
    data.mkdir()
    ring = KeyRing(data)
    rights: dict[str, tuple[list[str], list[str] | None]] = {
        "admin": (["admin"], None),
        "shop admin": (["admin"], ["shop"]),
        "writer": (["ingest", "read"], ["shop"]),
        "other": (["ingest", "read"], ["other"]),
        "reader": (["read"], ["shop"]),
        "sender": (["ingest"], ["shop"]),
    }
    texts = {
        name: ring.create(name, scopes, projects)[1] for name, (scopes, projects) in rights.items()
    }
    ring.close()
    given = providers(stub.url)
    given["stub"] = given["stub"].model_copy(update={"projects": ("shop",)})
    settings = ServerSettings(data=data, port=0, grpc_port=-1, require_keys=True, providers=given)
    with Server(settings) as server:

        def ask(
            who: str, method: str, path: str, body: Any = None, **params: Any
        ) -> httpx.Response:
            headers = {"Authorization": f"Bearer {texts[who]}"}
            query = {"project": "shop", **params}
            return httpx.request(
                method, server.url + path, json=body, params=query, headers=headers, timeout=None
            )

        yield ask


def test_readers_look_and_writers_run(asked: Any) -> None:
    made = asked("writer", "POST", "/api/play", {"name": "p", "body": BODY}).json()
    assert (made["project"], made["author"]) == ("shop", "writer")
    path = f"/api/play/{made['document_id']}"
    for who, status in (("reader", 403), ("sender", 403), ("writer", 200)):
        for verb in ("run", "stop"):
            assert asked(who, "POST", f"{path}/{verb}", {}).status_code == status, (who, verb)
    assert asked("reader", "GET", f"{path}/cells").status_code == 200
    assert asked("reader", "PATCH", path, {"edits": []}).status_code == 403
    slug = {"slug": "s", "body": PROMPT}
    assert asked("reader", "POST", "/api/prompts", slug).status_code == 403
    assert asked("writer", "POST", "/api/prompts", slug).status_code == 200
    assert asked("reader", "POST", "/api/prompts/s/render", {}).status_code == 200
    assert asked("reader", "POST", "/api/prompts/s/run", {}).status_code == 403
    assert asked("writer", "POST", "/api/prompts/s/run", {}).status_code == 200


def test_a_key_sees_its_projects_alone(asked: Any) -> None:
    made = asked("writer", "POST", "/api/play", {"name": "p", "body": BODY}).json()
    path = f"/api/play/{made['document_id']}"
    for verb in ("", "/cells", "/rows", "/events", "/versions"):
        assert asked("other", "GET", f"{path}{verb}").status_code == 403
        assert asked("other", "GET", f"{path}{verb}", project="other").status_code == 404
    assert asked("other", "GET", "/api/play").json() == []
    assert asked("other", "GET", "/api/prompts").json() == []
    sql = {"source": "query", "sql": "SELECT project AS input FROM spans"}
    theirs = {"name": "q", "body": {"rows": sql, "columns": {"a": column()}}}
    spied = asked("other", "POST", "/api/play", theirs, project="other").json()
    asked("writer", "POST", f"{path}/run", {"what": "all"})
    told = asked("other", "GET", f"/api/play/{spied['document_id']}/rows", project="other").json()
    assert told["rows"] == []


def test_a_provider_is_for_its_projects(asked: Any) -> None:
    names = {who: [each["name"] for each in asked(who, "GET", "/api/providers", project=project).json()]
             for who, project in (("writer", "shop"), ("other", "other"))}  # fmt: skip
    assert names == {"writer": ["ant", "stub"], "other": ["ant"]}
    asked("other", "POST", "/api/prompts", {"slug": "s", "body": PROMPT}, project="other")
    ran = asked("other", "POST", "/api/prompts/s/run", {}, project="other")
    assert (ran.status_code, "none of that name for this project" in ran.text) == (404, True)
    assert asked("other", "GET", "/api/providers/stub/models", project="other").status_code == 404
    [shown] = [
        each for each in asked("reader", "GET", "/api/providers").json() if each["name"] == "ant"
    ]
    assert shown["base_url"] == "http://127.0.0.1/…"
    body = {"kind": "openai", "base_url": "https://models.example/v1"}
    for who, status in (("writer", 403), ("shop admin", 403), ("admin", 200)):
        assert asked(who, "PUT", "/api/providers/mine", body).status_code == status
    assert asked("admin", "DELETE", "/api/providers/mine", version=1).status_code == 200
