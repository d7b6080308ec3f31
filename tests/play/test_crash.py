"""A server that is killed in the middle of a run loses nothing that was done, and what was not done runs again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data import processes
from play.plays import Play, column, rows
from tracestore.client import Client
from tracestore.demo.stub_model import StubModel


def environment(stub: StubModel, keys: dict[str, str]) -> dict[str, str]:
    providers: dict[str, Any] = {
        "stub": {"kind": "openai", "base_url": f"{stub.url}/v1", "key": "PLAY_TEST_OPENAI"}
    }
    return {**keys, "TRACESTORE_PROVIDERS": json.dumps(providers)}


def test_a_crash_in_the_middle_loses_nothing(
    tmp_path: Path, stub: StubModel, keys: dict[str, str]
) -> None:
    options = ("--grpc-port", "-1")
    data = tmp_path / "store"
    with processes.serving(data, *options, environment=environment(stub, keys)) as server:
        with Client(server.url) as client:
            client.datasets.add("questions", rows(12))
        body = {
            "rows": {"source": "dataset", "dataset": "questions"},
            "columns": {"a": column(), "b": column("stub-small")},
            "scorers": ["exact_match"],
            "concurrency": 4,
        }
        play = Play(server.url, body)
        seen: set[tuple[str, int]] = set()
        under_way: set[tuple[str, int]] = set()
        with play.watched() as events:
            next(events)
            play.run()
            for name, data_of in events:
                if name == "cell":
                    cell = data_of["cell"]
                    place = (cell["column"], cell["row"])
                    (seen if cell["state"] == "done" else under_way).add(place)
                if len(seen) >= 7:
                    # From now on no call ends: some are under way when the server dies.
                    stub.held.clear()
                    if under_way - seen:
                        break
        play.edit("columns", "a", "name", value="typed before the crash")
        server.process.kill()
    stub.held.set()
    with processes.serving(data, *options, environment=environment(stub, keys)) as server:
        play.url = server.url
        assert play.body()["columns"]["a"]["name"] == "typed before the crash"
        cells = play.cells()
        assert seen <= {each for each, cell in cells.items() if cell["state"] == "done"}
        assert all(cell["scores"] for cell in cells.values())
        asked = sum(stub.asked.values())
        run = play.run_to_end("changed")
        assert (run["state"], run["cells"], run["failed"]) == ("done", 24 - len(cells), 0)
        assert sum(stub.asked.values()) == asked + 24 - len(cells)
        with Client(server.url) as client:
            told = client.sql(
                "SELECT experiment, count(*) AS n, count(DISTINCT input_key) AS cases "
                "FROM spans WHERE is_root GROUP BY ALL ORDER BY ALL"
            ).rows()
        assert [(each["n"], each["cases"]) for each in told] == [(12, 12), (12, 12)]
