"""What a stranger may do at the doors for other tools is what SQL lets them do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

import tracestore
from data import processes
from security.conftest import spans_of
from security.hostile import TEXTS
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str, str]]:
    """Gives a server of projects A and B, a key that reads A, and one that sends alone."""
    folder = tmp_path_factory.mktemp("doors") / "store"
    tracestore.open(folder, background=False).close()
    ring = KeyRing(folder)
    reader = ring.create("reader", ("read",), ("A",))[1]
    sender = ring.create("sender", ("ingest",))[1]
    ring.close()
    with Server(ServerSettings(data=folder, port=0, grpc_port=-1, require_keys=True)) as server:
        for project in "AB":
            server.store.insert("spans", spans_of(project), project=project)
        yield server, reader, sender


def get(server: Server, path: str, key: str | None, **more: object) -> httpx.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.get(
        server.url + path,
        headers=headers,
        timeout=processes.HANG_S,
        **more,  # type: ignore[arg-type]
    )


DOORS = [
    ("/api/query", {"sql": "SELECT * FROM spans"}),
    ("/jaeger/api/traces", {"operation": "A span 1"}),
    (f"/jaeger/api/traces/{1:031x}a", {}),
    (f"/jaeger/api/v3/traces/{1:031x}a", {}),
    ("/tempo/api/search", {"q": '{name = "A span 1"} | select(span.only_A)'}),
    (f"/tempo/api/traces/{1:031x}a", {}),
    (f"/tempo/api/v2/traces/{1:031x}a", {}),
    ("/tempo/api/v2/search/tag/span.only_A/values", {}),
]


@pytest.mark.parametrize(("path", "params"), DOORS)
def test_a_door_asks_for_a_key_that_may_read(
    keyed: tuple[Server, str, str], path: str, params: dict[str, str]
) -> None:
    server, reader, sender = keyed
    assert get(server, path, None, params=params).status_code == 401
    assert get(server, path, "wrong", params=params).status_code == 401
    assert get(server, path, sender, params=params).status_code == 403
    answer = get(server, path, reader, params=params)
    assert answer.status_code == 200
    assert "secret-of-A" in answer.text
    assert "secret-of-B" not in answer.text


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["sql", "params", "from", "to", "step", "project", "format"])
def test_hostile_text_in_an_address_is_refused_or_is_a_value(
    keyed: tuple[Server, str, str], name: str, text: str
) -> None:
    server, reader, _ = keyed
    params = {"sql": "SELECT count(*), $from, $to, $step FROM spans", "from": "0", "to": "1"}
    answer = get(server, "/api/query", reader, params={**params, "step": "1", name: text})
    assert answer.status_code in {200, 400, 403, 422}, answer.text
    assert "secret-of-B" not in answer.text


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["service", "operation", "tags", "minDuration", "start", "limit"])
def test_hostile_text_in_a_search_of_jaegers_is_refused_or_is_a_value(
    keyed: tuple[Server, str, str], name: str, text: str
) -> None:
    server, reader, _ = keyed
    given = json.dumps({text: text, "both": text}) if name == "tags" else text
    answer = get(server, "/jaeger/api/traces", reader, params={"service": "shop", name: given})
    assert answer.status_code in {200, 400, 403, 422}, answer.text
    assert "secret-of" not in answer.text


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["q", "tags", "minDuration", "start", "limit", "spss"])
def test_hostile_text_in_a_search_of_tempos_is_refused_or_is_a_value(
    keyed: tuple[Server, str, str], name: str, text: str
) -> None:
    server, reader, _ = keyed
    quoted = json.dumps(text)
    texts = [text]
    if name == "q":
        texts += [f"{{span.{quoted} = {quoted}}}", f"{{name =~ {quoted}}}", f"{{.{text} = 1}}"]
        texts += [f"{{event.{quoted} = `{text}`}} >> {{resource.{quoted} != 1}}"]
    for each in texts:
        answer = get(server, "/tempo/api/search", reader, params={name: each})
        assert answer.status_code in {200, 400, 403, 422}, answer.text
        assert "secret-of-B" not in answer.text
        query = {"q": f"{each} | rate() by(span.{quoted})"}
        answer = get(server, "/tempo/api/metrics/query_range", reader, params=query)
        assert answer.status_code in {200, 400, 403, 422}, answer.text


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_names_of_tags_are_refused_or_are_names(
    keyed: tuple[Server, str, str], text: str
) -> None:
    server, reader, _ = keyed
    for tag in (text, f"span.{text}", f"event.{text}", f'resource."{text}"'):
        path = f"/tempo/api/v2/search/tag/{quote(tag, safe='')}/values"
        answer = get(server, path, reader)
        assert answer.status_code in {200, 400, 403, 404, 422}, answer.text
        assert "secret-of-B" not in answer.text


def test_traceql_beyond_its_bounds_is_refused(keyed: tuple[Server, str, str]) -> None:
    server, reader, _ = keyed
    for text in (
        "{" + "!" * 9000 + "true}",
        "{} " + ">> {} " * 1500,
        "{1" + " + 1" * 2400 + " = 1}",
        "{span.x = `" + "x" * 10_000 + "`}",
    ):
        answer = get(server, "/tempo/api/search", reader, params={"q": text})
        assert answer.status_code in {400, 422}, answer.text


def test_names_and_values_of_other_projects_are_not_told(keyed: tuple[Server, str, str]) -> None:
    server, reader, _ = keyed
    tags = get(server, "/tempo/api/v2/search/tags", reader).text
    assert "only_A" in tags and "only_B" not in tags
    path = "/tempo/api/v2/search/tag/span.only_B/values"
    assert get(server, path, reader).json() == {"tagValues": []}


def test_more_points_than_a_screen_has_are_refused(keyed: tuple[Server, str, str]) -> None:
    server, reader, _ = keyed
    params = {"q": "{} | rate()", "start": "1", "end": "1790000000", "step": "1ms"}
    assert get(server, "/tempo/api/metrics/query_range", reader, params=params).status_code == 400


def test_tags_tell_nothing_of_other_projects(keyed: tuple[Server, str, str]) -> None:
    server, reader, _ = keyed
    params = {"sql": "SELECT count(*) FROM spans"}
    tag = get(server, "/api/query", reader, params=params).headers["etag"]
    server.store.insert("spans", [{"name": "new"}], project="B")
    assert get(server, "/api/query", reader, params=params).headers["etag"] == tag
    server.store.insert("spans", [{"name": "new"}], project="A")
    assert get(server, "/api/query", reader, params=params).headers["etag"] != tag


def test_an_address_beyond_the_bound_is_refused(keyed: tuple[Server, str, str]) -> None:
    server, reader, _ = keyed
    answer = get(server, "/api/query", reader, params={"sql": "SELECT '" + "x" * 61_000 + "'"})
    assert answer.status_code in {400, 414, 422, 431}


def test_a_page_elsewhere_cannot_have_a_browser_ask(tmp_path: Path) -> None:
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    headers["Sec-Fetch-Dest"] = "document"
    with Server(settings) as server:
        for path, params in DOORS:
            answer = httpx.get(server.url + path, params=params, headers=headers)
            assert answer.status_code == 403
