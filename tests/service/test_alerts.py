"""Alerts of a server: looked at in the background, told to a webhook, signed, and again until it is taken."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.processes import HANG_S
from tracestore.alerts import courier
from tracestore.client import Client, ClientError
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

RULE = {"sql": "SELECT count(*) FROM spans", "op": ">", "threshold": 1, "every_s": 10}


class Receiver:
    """An HTTP server that keeps what it is sent, and answers with the statuses it was told."""

    def __init__(self) -> None:
        self.requests: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.statuses: queue.Queue[int] = queue.Queue()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.put(
                    ({name.lower(): value for name, value in self.headers.items()}, body)
                )
                status = 204 if receiver.statuses.empty() else receiver.statuses.get()
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def next(self) -> tuple[dict[str, str], bytes]:
        return self.requests.get(timeout=HANG_S)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def settings(data: Path, **more: Any) -> ServerSettings:
    more = {"outbound_private_hosts": ("127.0.0.1",), **more}
    return ServerSettings(data=data, port=0, grpc_port=-1, **more)


@pytest.mark.parametrize("engine_process", [False, True])
def test_an_alert_that_fires_is_told_with_a_signature(
    tmp_path: Path, receiver: Receiver, engine_process: bool
) -> None:
    with (
        Server(settings(tmp_path / "store", engine_process=engine_process)) as server,
        Client(server.url) as client,
    ):
        client.insert("spans", [{"name": "a"}, {"name": "b"}], project="shop")
        hook = {"url": receiver.url, "format": "json", "secret": "s3cret"}
        alert = client.alerts.create("Too many", {**RULE, "webhook": hook}, project="shop")
        assert alert["rule"]["webhook"] == {"url": receiver.url, "format": "json", "signed": True}
        headers, body = receiver.next()
        seconds, digest = (
            part.partition("=")[2] for part in headers["x-tracestore-signature"].split(",")
        )
        signed = hmac.new(b"s3cret", f"{seconds}.".encode() + body, hashlib.sha256)
        assert digest == signed.hexdigest()
        told = json.loads(body)
        assert (told["state"], told["alert"], told["value"]) == ("firing", "Too many", 2)
        assert told["url"] == f"{server.url}/p/shop/alerts/{alert['document_id']}"
        [shown] = client.alerts.list(project="shop")
        assert (shown["state"], shown["value"], shown["failure"]) == ("firing", "2", None)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
def test_a_webhook_of_a_private_address_is_not_sent(
    tmp_path: Path, receiver: Receiver, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "RETRY_S", ())
    chosen = settings(tmp_path / "store", outbound_private_hosts=())
    with Server(chosen) as server, Client(server.url) as client:
        client.insert("spans", [{"name": "a"}, {"name": "b"}])
        hook = {"url": receiver.url.replace("127.0.0.1", host)}
        alert = client.alerts.create("Too many", {**RULE, "webhook": hook})
        event = event_that_ended(client, alert["document_id"])
        assert event["delivery"] == "failed"
        assert event["answer"].startswith(f"cannot ask {host.strip('[]')}")
    assert receiver.requests.empty()


def event_that_ended(client: Client, document_id: str) -> dict[str, Any]:
    """Returns the first event of an alert once it waits no more."""
    deadline = time.monotonic() + HANG_S
    while time.monotonic() < deadline:
        for event in client.alerts.events(document_id):
            if event["delivery"] != "waiting":
                return event
    raise AssertionError("no event ended in time")


def test_what_is_not_taken_is_sent_again_also_after_a_restart(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "RETRY_S", (0, 0, 3600))
    for status in (500, 503, 500):
        receiver.statuses.put(status)
    with Server(settings(tmp_path / "store")) as server, Client(server.url) as client:
        client.insert("spans", [{"name": "a"}, {"name": "b"}], project="shop")
        hook = {"url": receiver.url, "format": "slack"}
        alert = client.alerts.create("<b>", {**RULE, "webhook": hook}, project="shop")
        texts = [json.loads(receiver.next()[1])["text"] for _ in range(3)]
    assert len(set(texts)) == 1
    assert texts[0].startswith("*&lt;b&gt;* fires: value 2, condition > 1")
    monkeypatch.setattr(courier, "RETRY_S", (0, 0, 0))
    with Server(settings(tmp_path / "store")) as server, Client(server.url) as client:
        test = client.alerts.test(alert["document_id"], project="shop")
        assert "is tested" in json.loads(receiver.next()[1])["text"]
        events = client.alerts.events(alert["document_id"], project="shop")
        # It fired once, though the server looked again after its restart.
        assert [each["state"] for each in events] == ["test", "firing"]
        assert events[0]["event_id"] == test["event_id"]
        assert (events[1]["attempts"], events[1]["delivery"]) == (3, "waiting")


def test_readers_see_alerts_and_admins_of_their_project_change_them(tmp_path: Path) -> None:
    data = tmp_path / "store"
    data.mkdir()
    ring = KeyRing(data)
    texts = [
        ring.create(name, scopes, ["shop"])[1]
        for name, scopes in (("admin", ["admin"]), ("writer", ["ingest", "read"]))
    ]
    other = ring.create("other", ["admin"], ["bank"])[1]
    ring.close()
    with (
        Server(settings(data, require_keys=True)) as server,
        Client(server.url, texts[0]) as admin,
        Client(server.url, texts[1]) as writer,
        Client(server.url, other) as stranger,
    ):
        hook = {"url": "http://127.0.0.1:9/path-is-a-secret", "secret": "x"}
        rule = {**RULE, "enabled": False, "webhook": hook}
        alert = admin.alerts.create("a", rule, project="shop")
        [seen] = writer.alerts.list()
        assert seen["rule"]["webhook"] == {
            "url": "http://127.0.0.1/…",
            "format": "json",
            "signed": True,
        }
        changed = {**rule, "webhook": {"url": hook["url"]}}
        saved = admin.alerts.save(alert["document_id"], "a", changed, version=1, project="shop")
        assert saved["rule"]["webhook"]["signed"]
        with pytest.raises(ClientError) as error:
            writer.alerts.create("b", rule, project="shop")
        assert error.value.status == 403
        with pytest.raises(ClientError) as error:
            writer.documents.get("alert", alert["document_id"], project="shop")
        assert error.value.status == 422
        assert stranger.alerts.list() == []
        with pytest.raises(ClientError) as error:
            stranger.alerts.events(alert["document_id"], project="bank")
        assert error.value.status == 404
        admin.alerts.delete(alert["document_id"], version=2, project="shop")
        assert admin.alerts.list() == []
