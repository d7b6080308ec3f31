"""Plays: every run is an experiment, cells come as they are done, and only what changed runs again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from data.processes import HANG_S
from play.plays import Play, column, rows, typed
from tracestore.client import Client
from tracestore.demo.stub_model import StubModel
from tracestore.evals import bases
from tracestore.play.runs.run import RunRequest
from tracestore.server import Server


@pytest.fixture
def dataset(client: Client) -> str:
    client.datasets.add("questions", rows(10))
    return "questions"


def two_columns(dataset: str) -> dict[str, Any]:
    return {
        "rows": {"source": "dataset", "dataset": dataset},
        "columns": {"a": column("stub"), "b": column("stub-small", "ant")},
        "order": ["a", "b"],
        "scorers": ["exact_match"],
    }


def test_a_run_makes_an_experiment_of_each_column(
    server: Server, client: Client, dataset: str
) -> None:
    play = Play(server.url, two_columns(dataset))
    run = play.run_to_end()
    assert (run["state"], run["cells"], run["done"], run["failed"]) == ("done", 20, 20, 0)
    assert run["experiments"] == {"a": "topics stub", "b": "topics stub-small"}
    cells = play.cells()
    assert {each["state"] for each in cells.values()} == {"done"}
    assert {each["is_current"] for each in cells.values()} == {True}
    right = {each: cells[each]["scores"]["exact_match"] for each in cells}
    assert sum(right["a", f"r{number}"] for number in range(10)) == 10
    assert sum(right["b", f"r{number}"] for number in range(10)) < 10
    one = cells["a", "r0"]
    assert (one["output"], one["turns"], one["usage"]["completion_tokens"]) == ("parcel", 1, 1)
    assert one["cost"] == pytest.approx(run["cost"] / 10, rel=0.5)
    names = list(run["experiments"].values())
    compared = client.experiments.compare(*names)
    assert [each["cases"] for each in compared["experiments"]] == [10, 10]
    assert compared["experiments"][1]["against_baseline"]["exact_match"]["regressions"] > 0
    records = {each["name"]: each for each in client.experiments.list()}
    assert records[names[0]]["dataset"] == "questions"
    assert records[names[0]]["metadata"]["play"]["kept"] is False


def test_only_what_changed_runs_again(server: Server, stub: StubModel, dataset: str) -> None:
    play = Play(server.url, two_columns(dataset))
    first = play.run_to_end()["experiments"]
    assert play.run("changed")["cells"] == 0
    play.edit("columns", "b", "parameters", "temperature", value=0.1)
    states = {each["column"]: each["is_current"] for each in play.cells().values()}
    assert states == {"a": True, "b": False}
    run = play.run_to_end("changed")
    assert (run["cells"], list(run["experiments"])) == (10, ["b"])
    assert run["experiments"]["b"] != first["b"]
    assert stub.asked == {"stub": 10, "stub-small": 20}
    server.store.datasets.update("questions", [{"id": "r3", "expected": "nothing"}])
    run = play.run_to_end("changed")
    assert run["cells"] == 2
    assert run["experiments"]["a"] == first["a"]


def test_one_row_of_one_column_is_one_more_trial(
    server: Server, client: Client, dataset: str
) -> None:
    play = Play(server.url, two_columns(dataset))
    first = play.run_to_end()["experiments"]
    again = play.run_to_end("all", columns=["a"], rows=["r1"])
    assert (again["cells"], again["experiments"]) == (1, {"a": first["a"]})
    [told] = client.sql(
        "SELECT count(*) AS n FROM spans WHERE is_root AND experiment = $e", {"e": first["a"]}
    ).rows()
    assert told["n"] == 11


def test_a_case_is_one_trace_with_its_calls(server: Server, client: Client) -> None:
    body = {
        "rows": typed("Where is it?"),
        "columns": {"a": column()},
        "scorers": ["exact_match", "levenshtein"],
    }
    play = Play(server.url, body)
    play.run_to_end()
    cell = play.cells()["a", "r0"]
    spans = client.sql("SELECT * FROM spans ORDER BY name").rows()
    assert [(each["name"], each["type"]) for each in spans] == [
        ("case", "eval"),
        ("chat stub", "llm"),
        ("exact_match", "score"),
        ("levenshtein", "score"),
    ]
    root = spans[0]
    assert (root["trace_id"], root["span_id"]) == (cell["trace_id"], cell["span_id"])
    assert {each["parent_span_id"] for each in spans[1:]} == {root["span_id"]}
    assert root["scores"] == cell["scores"]
    assert (root["input"], root["expected"], root["output"]) == (
        {"question": "Where is it?"},
        "parcel",
        "other",
    )


def test_what_people_say_of_a_cell_is_shown_and_becomes_a_case(
    server: Server, client: Client, dataset: str
) -> None:
    play = Play(server.url, two_columns(dataset))
    play.run_to_end()
    cell = play.cells()["b", "r1"]
    client.score((cell["trace_id"], cell["span_id"]), "helpful", 0.25, comment="too short")
    told = play.cells()["b", "r1"]
    assert told["scores"] == {**cell["scores"], "helpful": 0.25}
    assert told["state"] == "done"
    origin = {name: cell[name] for name in ("trace_id", "span_id", "experiment")}
    [row] = [each for each in play.call("GET", f"{play.path}/rows")["rows"] if each["id"] == "r1"]
    case = {"input": row["input"], "expected": "refund", "origin": origin}
    case["metadata"] = {"wrong": cell["output"]}
    assert client.datasets.add(dataset, [case])["added"] == 1
    assert play.run_to_end("changed")["cells"] == 2


def test_cells_that_fail_say_why_and_run_again(server: Server) -> None:
    body = {
        "rows": typed("a", "b"),
        "columns": {
            "gone": column("nosuch"),
            "key": column("stub-401"),
            "cut": column("stub-cut"),
            "good": column(),
        },
    }
    play = Play(server.url, body)
    run = play.run_to_end()
    assert (run["done"], run["failed"]) == (2, 6)
    cells = play.cells()
    assert "does not exist" in cells["gone", "r0"]["error"]
    assert "no such key: Bearer [key]" in cells["key", "r0"]["error"]
    assert "ends in the middle" in cells["cut", "r0"]["error"]
    play.edit("columns", "gone", "model", value="stub")
    run = play.run_to_end("changed", columns=["gone", "good"])
    assert (run["done"], run["failed"]) == (2, 0)


def test_what_is_stopped_is_no_case(server: Server, client: Client, stub: StubModel) -> None:
    body = {
        "rows": typed(*"abcdef"),
        "columns": {"a": column()},
        "concurrency": 2,
    }
    play = Play(server.url, body)
    stub.held.clear()
    with play.watched() as events:
        next(events)
        play.run()
        running = 0
        for name, data in events:
            running += name == "cell" and data["cell"]["state"] == "running"
            if running == 2:
                break
        play.call("POST", f"{play.path}/stop", {})
        for name, data in events:
            if name == "run" and data["run"]["state"] == "stopped":
                break
    stub.held.set()
    assert play.cells() == {}
    assert client.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 0}]
    assert play.run_to_end("changed")["done"] == 6


def test_a_run_that_is_stopped_before_its_first_call_ends(server: Server, stub: StubModel) -> None:
    play = Play(server.url, {"rows": typed("a", "b"), "columns": {"a": column()}})

    async def begun_and_stopped() -> None:
        session = await server.play.sessions.of(play.document_id, "default")
        await session.begin(RunRequest("all"), None)
        session.stop()
        await session.end()

    loop = server._uvicorn.running_loop
    assert loop is not None
    asyncio.run_coroutine_threadsafe(begun_and_stopped(), loop).result(HANG_S)
    told = play.call("GET", f"{play.path}/cells")
    assert (told["cells"], told["run"]["state"], told["run"]["running"]) == ([], "stopped", 0)
    assert stub.asked == {}


def test_cells_that_wait_run_though_their_column_changes_meanwhile(
    server: Server, client: Client, stub: StubModel
) -> None:
    body = {"rows": typed(*"abc"), "columns": {"a": column()}, "concurrency": 1}
    play = Play(server.url, body)
    stub.held.clear()
    with play.watched() as events:
        next(events)
        first = play.run()["experiments"]["a"]
        play.edit("columns", "a", "parameters", "temperature", value=0.1)
        second = play.run("all", rows=["r2"])["experiments"]["a"]
        stub.held.set()
        run = next(
            data["run"]
            for name, data in events
            if name == "run" and data["run"]["state"] != "running"
        )
    assert (run["state"], run["cells"], run["done"]) == ("done", 3, 3)
    counts = client.sql("SELECT experiment, count(*) AS n FROM spans WHERE is_root GROUP BY ALL")
    assert {each["experiment"]: each["n"] for each in counts.rows()} == {first: 2, second: 1}
    server.play.stop(server._uvicorn.running_loop)
    states = {each["name"]: each["metadata"].get(bases.STATE) for each in client.experiments.list()}
    assert states == {first: None, second: None}


def test_a_kept_run_has_the_name_that_it_is_given(
    server: Server, client: Client, dataset: str
) -> None:
    play = Play(server.url, two_columns(dataset))
    first = play.run_to_end()["experiments"]
    kept = play.call("POST", f"{play.path}/keep", {"column": "a", "name": "short answers"})
    assert kept == {"experiment": "short answers"}
    counts = client.sql(
        "SELECT experiment, count(*) AS n FROM spans WHERE is_root GROUP BY ALL ORDER BY ALL"
    ).rows()
    assert counts == [
        {"experiment": "short answers", "n": 10},
        {"experiment": first["b"], "n": 10},
    ]
    assert play.body()["columns"]["a"]["experiment"] == "short answers"
    assert {each["experiment"] for each in play.cells().values()} == {"short answers", first["b"]}
    records = {each["name"]: each["metadata"] for each in client.experiments.list()}
    assert first["a"] not in records
    assert records["short answers"]["play"]["kept"] is True
    compared = client.experiments.compare("short answers", first["b"])
    assert [each["cases"] for each in compared["experiments"]] == [10, 10]
    assert play.run("changed")["cells"] == 0


def test_rows_of_a_query_and_of_one_span(server: Server, client: Client) -> None:
    client.insert(
        "spans",
        [
            {
                "trace_id": "1" * 32,
                "span_id": "2" * 16,
                "name": "chat",
                "type": "llm",
                "input": [{"role": "user", "content": "my {{parcel}}"}],
                "output": [{"role": "assistant", "content": "x"}],
                "metadata": {"model": "stub", "provider": "stub"},
                "attributes": {
                    "gen_ai.request.temperature": 0.5,
                    "llm.tools": [{"json_schema": '{"name": "look", "parameters": {}}'}],
                },
            }
        ],
    )
    body = {
        "rows": {"source": "query", "sql": "SELECT trace_id, span_id, input FROM spans"},
        "columns": {"a": {**column(), "messages": [{"role": "messages", "content": "input"}]}},
    }
    play = Play(server.url, body)
    told = play.call("GET", f"{play.path}/rows")
    [row] = told["rows"]
    assert row["origin"]["span_id"] == "2" * 16
    assert play.run_to_end()["done"] == 1
    ids = {"trace_id": "1" * 32, "span_id": "2" * 16}
    opened = play.call("POST", "/api/play/from-span", ids)
    assert opened["messages"] == [{"role": "user", "content": "my {{parcel}}"}]
    assert (opened["model"], opened["parameters"]) == ("stub", {"temperature": 0.5})
    assert opened["tools"] == [
        {"name": "look", "description": "", "parameters": {"type": "object"}}
    ]
    again = {name: opened[name] for name in ("messages", "template", "provider", "model", "tools")}
    replay = Play(
        server.url, {"rows": {"source": "span", **ids}, "columns": {"a": again}}, "replay"
    )
    assert replay.run_to_end()["done"] == 1
    assert "{{parcel}}" in next(iter(replay.cells().values()))["output"]


def test_changes_of_two_people_meet_in_one_play(server: Server) -> None:
    play = Play(server.url, {"rows": typed("a"), "columns": {"a": column()}})
    with play.watched() as one, play.watched() as other:
        assert next(one)[1]["document"]["version"] == 1
        next(other)
        play.edit("columns", "a", "model", value="stub-small", client="one")
        play.edit("columns", "a", "messages", 0, "content", value="New.", client="other")
        for events in (one, other):
            told = [next(events)[1] for _ in range(2)]
            assert [each["client"] for each in told] == ["one", "other"]
            assert told[0]["edits"][0]["value"] == "stub-small"
            assert told[1]["sequence"] == told[0]["sequence"] + 1
    body = play.body()["columns"]["a"]
    assert (body["model"], body["messages"][0]["content"]) == ("stub-small", "New.")
    assert play.call("GET", play.path)["version"] == 1
    gone = {"edits": [{"path": ["columns", "z", "model"], "value": "x"}]}
    assert play.call("PATCH", play.path, gone)["ignored"] == [0]
    own = {"edits": [{"path": ["columns", "a", "experiment"], "value": "x"}]}
    assert play.call("PATCH", play.path, own)["ignored"] == [0]
    refused = play.asked("PATCH", play.path, {"edits": [{"path": ["concurrency"], "value": 0}]})
    assert refused.status_code == 400
    assert "concurrency" in refused.json()["detail"]
