"""The keys of providers and of callers are nowhere after calls of every kind: answers, spans, exports, logs, files."""

from __future__ import annotations

import contextlib
from pathlib import Path

import httpx
import pytest
import structlog

from data import processes
from gateway.conftest import PROVIDER_KEY, settings, spans
from tracestore.client import Client
from tracestore.demo import stub_model
from tracestore.server import Server
from tracestore.serving.logs import LogFormat, configure_logs
from tracestore.store import KeyRing

MODELS = (
    "stub",
    "stub-echo",
    "stub-401",
    "stub-500-always",
    "stub-429-always",
    "stub-cut",
    "stub-error",
)


def test_no_key_is_anywhere_after_calls_of_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWAY_TEST_KEY", PROVIDER_KEY)
    told: list[str] = []
    with stub_model.serving() as stub:
        chosen = settings(tmp_path, stub.url, require_keys=True, log_level="debug", self_trace=True)
        chosen.data.mkdir()
        with contextlib.closing(KeyRing(chosen.data)) as ring:
            _, ours = ring.create("ours", ["admin"])
        # A secret may have underscores of its own.
        secret = ours.split("_", 2)[2]
        bearer = {"authorization": f"Bearer {ours}"}
        calls = 0
        with Server(chosen) as server, httpx.Client(timeout=processes.HANG_S) as http:
            for path in ("openai/v1/chat/completions", "anthropic/v1/messages"):
                for model in MODELS:
                    for stream in (False, True):
                        body = {
                            "model": model,
                            "stream": stream,
                            "max_tokens": 50,
                            "messages": [{"role": "user", "content": "Where is it?"}],
                        }
                        calls += 1
                        # Some end in the middle.
                        with contextlib.suppress(httpx.HTTPError):
                            url = f"{server.url}/gateway/{path}"
                            answer = http.post(url, json=body, headers=bearer)
                            told += [answer.text, str(answer.headers)]
            told.append(str(spans(server, calls, ours, project="default")))
            with Client(server.url, ours) as client:
                told += [
                    part.decode()
                    for part in client.export("SELECT * FROM spans", "application/x-ndjson")
                ]
            told.append(http.get(f"{server.url}/api/providers", headers=bearer).text)
            told.append(http.get(f"{server.url}/metrics", headers=bearer).text)
    told += capfd.readouterr()
    assert any("[key]" in text for text in told)
    for text in told:
        assert PROVIDER_KEY not in text
        assert secret not in text
    for path_on_disk in chosen.data.rglob("*"):
        if path_on_disk.is_file():
            content = path_on_disk.read_bytes()
            assert PROVIDER_KEY.encode() not in content, path_on_disk.name
            assert secret.encode() not in content, path_on_disk.name


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_of_a_fault_tells_no_values(
    form: LogFormat, capfd: pytest.CaptureFixture[str]
) -> None:
    before = structlog.get_config()
    configure_logs("info", form)
    try:
        failing(PROVIDER_KEY)
    finally:
        structlog.configure(**before)
    told = capfd.readouterr().err
    assert "ZeroDivisionError" in told
    assert "failing" in told
    assert PROVIDER_KEY not in told


def failing(key: str) -> None:
    """Logs a fault in a place where a variable holds a key."""
    held = {"key": key}
    try:
        held["number"] = str(1 // 0)
    except ZeroDivisionError:
        structlog.get_logger("test").exception("failed")
