"""Two hundred rows in four columns, sixteen calls at once."""

from __future__ import annotations

from play.plays import Play, column, rows
from tracestore.client import Client
from tracestore.demo.stub_model import StubModel
from tracestore.server import Server


def test_two_hundred_rows_in_four_columns(server: Server, client: Client, stub: StubModel) -> None:
    client.datasets.add("questions", rows(200))
    models = {
        "a": ("stub", "stub"),
        "b": ("stub-small", "stub"),
        "c": ("stub", "ant"),
        "d": ("stub-429", "ant"),
    }
    body = {
        "rows": {"source": "dataset", "dataset": "questions"},
        "columns": {each: column(*model) for each, model in models.items()},
        "scorers": ["exact_match"],
    }
    play = Play(server.url, body)
    run = play.run_to_end()
    assert (run["state"], run["cells"], run["done"], run["failed"]) == ("done", 800, 800, 0)
    assert stub.most_running <= 16
    cells = play.cells()
    assert len(cells) == 800
    assert all(
        each["scores"]["exact_match"] == 1.0 for (name, _), each in cells.items() if name != "b"
    )
    compared = client.experiments.compare(*run["experiments"].values(), cases=0)
    assert [each["cases"] for each in compared["experiments"]] == [200] * 4
