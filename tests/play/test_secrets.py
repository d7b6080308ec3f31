"""Keys of providers are in the requests to them and nowhere else, whatever the providers answer."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from play.conftest import providers
from play.plays import Play, column, typed
from tracestore.client import Client
from tracestore.demo.stub_model import StubModel
from tracestore.play.providers.keys import Scrubber
from tracestore.play.providers.settings import ProviderSettings
from tracestore.server import Server, ServerSettings


def test_no_key_is_anywhere_after_runs_of_every_kind(
    tmp_path: Path,
    stub: StubModel,
    keys: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings = ServerSettings(
        data=tmp_path / "store",
        port=0,
        grpc_port=-1,
        log_level="debug",
        self_trace=True,
        providers=providers(stub.url),
    )
    answers = []
    with Server(settings) as server:
        columns = {
            f"{provider}-{model}": column(model, provider)
            for provider, model in (
                ("stub", "stub-echo"),
                ("ant", "stub-echo"),
                ("stub", "stub-401"),
                ("ant", "stub-401"),
                ("stub", "stub-cut"),
                ("ant", "stub"),
            )
        }
        play = Play(server.url, {"rows": typed("Where is it?"), "columns": columns})
        play.run_to_end()
        with play.watched() as events:
            answers.append(json.dumps(next(events)))
        echoed = play.cells()["stub-stub-echo", "r0"]["output"]
        assert "Bearer [key]" in echoed
        echo = {name: value for name, value in column("stub-echo").items() if name != "name"}
        body = {"slug": "echo", "body": echo}
        made = httpx.post(f"{server.url}/api/prompts", json=body)
        answers.append(made.text)
        for stream in (False, True):
            ran = httpx.post(
                f"{server.url}/api/prompts/echo/run",
                json={"input": {}, "stream": stream},
                timeout=None,
            )
            answers.append(ran.text)
        paths = (
            "/api/providers",
            "/api/providers/stub/models",
            "/api/prompts",
            play.path,
            f"{play.path}/cells",
            f"{play.path}/versions",
            "/metrics",
            "/openapi.json",
            "/api/status",
        )
        answers += [httpx.get(server.url + path, timeout=None).text for path in paths]
        with Client(server.url) as client:
            answers.append(json.dumps(client.sql("SELECT * FROM spans").rows(), default=str))
            answers += [
                part.decode("latin-1")
                for part in client.export("SELECT * FROM spans", "application/x-ndjson")
            ]
            refused = httpx.put(
                f"{server.url}/api/providers/mine",
                json={"kind": "openai", "base_url": stub.url, "key": keys["PLAY_TEST_OPENAI"]},
            )
            assert refused.status_code == 422
            answers.append(refused.text)
        server.store.flush()
    printed = capfd.readouterr()
    answers += [printed.out, printed.err]
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert len(files) > 3
    for key in keys.values():
        assert all(key not in text for text in answers)
        assert all(key.encode() not in path.read_bytes() for path in files)


def test_a_key_in_place_of_its_name_is_refused_and_not_repeated(tmp_path: Path) -> None:
    key = "sk-proj-0123456789"
    with pytest.raises(ValidationError) as error:
        ServerSettings(
            data=tmp_path,
            providers={"x": {"kind": "openai", "base_url": "https://x.example", "key": key}},  # type: ignore[dict-item]
        )
    assert key not in str(error.value)
    assert "put the key into a variable or a file" in str(error.value)


@pytest.mark.parametrize(
    "url", ["https://user:secret@x.example", "https://x.example/v1?key=secret", "ftp://x.example"]
)
def test_an_address_holds_no_secret(url: str) -> None:
    with pytest.raises(ValidationError) as error:
        ProviderSettings(kind="openai", base_url=url)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_key_that_comes_in_pieces_is_found(size: int) -> None:
    scrubber = Scrubber("sk-abcdefghi")
    text = "one sk-abcdefghi two sk-abc three sk-abcdefghisk-abcdefghi sk-abcdefgh"
    parts = [scrubber.part("t", text[at : at + size]) for at in range(0, len(text), size)]
    whole = "".join([*parts, *scrubber.rest().values()])
    assert whole == text.replace("sk-abcdefghi", "[key]")
    assert not any("sk-abcdefghi" in each for each in parts)


def test_the_api_names_no_other_secret_of_the_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "x" * 20)

    def saved(**more: str) -> httpx.Response:
        body = {"kind": "openai", "base_url": "https://api.openai.com/v1", **more}
        return httpx.put(f"{server.url}/api/providers/mine", json=body)

    assert "may not name variable" in saved(key="SOME_SECRET").json()["detail"]
    assert "may name no file" in saved(key="/etc/passwd").json()["detail"]
    elsewhere = saved(key="OPENAI_API_KEY", base_url="https://evil.example/v1")
    assert "is for https://api.openai.com" in elsewhere.json()["detail"]
    assert saved(key="OPENAI_API_KEY", base_url="http://api.openai.com").status_code == 400
    made = saved(key="OPENAI_API_KEY").json()
    assert (made["has_key"], made["origin"], made["version"]) == (False, "api", 1)
    listed = httpx.get(f"{server.url}/api/providers").json()
    assert [each["name"] for each in listed] == ["ant", "mine", "stub"]
    taken = httpx.put(
        f"{server.url}/api/providers/stub", json={"kind": "openai", "base_url": "https://x.example"}
    )
    assert taken.status_code == 400
