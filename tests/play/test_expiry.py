"""Runs that nobody keeps are deleted after their days, spans and record; what watches a play ends with the server."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

from play.conftest import providers
from play.plays import Play, column, typed
from tracestore.client import Client
from tracestore.demo.stub_model import StubModel
from tracestore.evals import bases
from tracestore.play.runs.viewers import Viewers
from tracestore.server import Server, ServerSettings


def test_what_nobody_keeps_is_deleted(
    tmp_path: Path, stub: StubModel, keys: dict[str, str]
) -> None:
    del keys
    settings = ServerSettings(
        data=tmp_path / "store",
        port=0,
        grpc_port=-1,
        providers=providers(stub.url),
        play_keep_days=1e-9,
    )
    with Server(settings) as server, Client(server.url) as client:
        body = {"rows": typed("a", "b"), "columns": {"a": column(), "b": column("stub-small")}}
        play = Play(server.url, body)
        names = play.run_to_end()["experiments"]
        play.call("POST", f"{play.path}/keep", {"column": "a", "name": "mine"})
        assert server.play.sweep.once() == [("default", names["b"])]
        assert server.play.sweep.once() == []
        counts = client.sql(
            "SELECT experiment, count(*) AS n FROM spans WHERE is_root GROUP BY ALL"
        ).rows()
        assert counts == [{"experiment": "mine", "n": 2}]
        assert [each["name"] for each in client.experiments.list()] == ["mine"]
        assert {column_id for column_id, _ in play.cells()} == {"a"}
        run = play.run_to_end("changed")
        assert (run["cells"], list(run["experiments"])) == (2, ["b"])


def test_a_run_that_nobody_keeps_is_no_base(server: Server, client: Client) -> None:
    client.datasets.add("d", [{"input": {"question": "a"}}])
    play = Play(
        server.url,
        {"rows": {"source": "dataset", "dataset": "d"}, "columns": {"a": column()}},
    )
    play.run_to_end()
    assert bases.chosen(client, "default", "next", None, "d") is None
    play.call("POST", f"{play.path}/keep", {"column": "a", "name": "mine"})
    assert bases.chosen(client, "default", "next", None, "d") == (
        "mine",
        "the last run on dataset d",
    )


def test_a_stream_tells_of_the_end_of_the_run_before_it_ends_with_the_server(
    server: Server, stub: StubModel, client: Client
) -> None:
    play = Play(server.url, {"rows": typed("a"), "columns": {"a": column()}})
    stub.held.clear()
    with play.watched() as events:
        assert next(events)[0] == "state"
        name = play.run()["experiments"]["a"]
        server.play.stop(server._uvicorn.running_loop)
        last, said = list(events)[-1]
    stub.held.set()
    assert (last, said["run"]["state"]) == ("run", "stopped")
    [record] = [each for each in client.experiments.list() if each["name"] == name]
    assert record["metadata"][bases.STATE] == {"state": bases.INTERRUPTED}


def test_viewers_get_what_waits_for_them_before_the_end() -> None:
    async def watched() -> list[str]:
        viewers = Viewers()
        names = []
        async for name, _ in viewers.watched(functools.partial(asyncio.sleep, 0)):
            names.append(name)
            if name == "state":
                viewers.publish("cell", {})
                viewers.publish("run", {})
                viewers.end()
        return names

    assert asyncio.run(watched()) == ["state", "cell", "run"]
