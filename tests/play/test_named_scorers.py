"""Stored scorers by their names: in evals, in online scoring, in alerts that look at their scores, and from a file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from data.processes import HANG_S
from tracestore import Eval
from tracestore.cli.main import app
from tracestore.client import Client, ClientError
from tracestore.evals import EvalError
from tracestore.server import Server

FILE = '''\
"""Scorers and tools of a shop."""

from __future__ import annotations

import re

CITIES = {7: "Bonn"}


def _words(text):
    return re.findall(r"[a-z]+", text.lower())


def names_it(output, expected):
    """Tells whether the answer names what was expected."""
    return {"score": float(expected.lower() in _words(output)), "metadata": {"rationale": "looked"}}


def lookup_order(order: int, fields: list[str] | None = None) -> dict:
    """Looks an order up."""
    return {"city": CITIES[order]}


scores = [names_it]
tools = [lookup_order]
'''


def pushed(server: Server, path: Path, *more: str) -> Any:
    return CliRunner().invoke(app, ["push", str(path), "--url", server.url, *more])


@pytest.fixture
def shop(server: Server, tmp_path: Path) -> Path:
    path = tmp_path / "shop.py"
    path.write_text(FILE)
    done = pushed(server, path)
    assert done.exit_code == 0, done.output
    return path


def test_a_file_puts_its_scorers_and_tools_there(
    server: Server, client: Client, shop: Path
) -> None:
    [scorer] = [each for each in client.scorers.list() if each["version"]]
    assert (scorer["name"], scorer["body"]["code"]) == ("names_it", FILE)
    [tool] = client.tools.list()
    assert tool["body"]["description"] == "Looks an order up."
    assert tool["body"]["parameters"] == {
        "type": "object",
        "properties": {
            "order": {"type": "integer"},
            "fields": {
                "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
                "default": None,
            },
        },
        "required": ["order"],
    }
    tried = client.tools.test(tool["body"], arguments={"order": 7})
    assert tried["value"] == {"city": "Bonn"}
    # The same again is no new version; a change is one.
    assert "scorer names_it: version 1" in pushed(server, shop).output
    shop.write_text(FILE.replace("looked", "seen"))
    assert "scorer names_it: version 2" in pushed(server, shop).output


REFUSED = [
    (FILE + "\n\nimport os\n", 28, "cannot import 'os'"),
    (FILE.replace("    return re.findall", "    yield re.findall"), 11, "does not take yield"),
    (FILE.replace("output, expected)", "output, secret)"), 14, "wants 'secret'"),
    (FILE.replace("def lookup", "def ("), 19, "cannot read the code"),
    (FILE.replace("scores = [names_it]", "scores = [len]"), 24, "which is no function"),
    (FILE.replace("scores = [names_it]", "scores = 3"), 24, "is no list"),
    ("x = 1\n", 1, "no list `scores` or `tools`"),
]


@pytest.mark.parametrize(("text", "line", "why"), REFUSED, ids=[each[2] for each in REFUSED])
def test_a_file_is_refused_with_its_line(
    server: Server, tmp_path: Path, text: str, line: int, why: str
) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    done = pushed(server, path)
    assert done.exit_code == 1
    assert f"{path}:{line}: " in done.stderr
    assert why in done.stderr


@pytest.mark.usefixtures("shop")
def test_an_eval_names_scorers_of_the_server(server: Server, client: Client) -> None:
    client.scorers.put(
        "half",
        {"type": "python", "code": "def half():\n    return 0.5", "function": "half"},
        project="p",
    )
    client.scorers.put("names_it", client.scorers.get("names_it")["body"], project="p")
    result = Eval(
        "p",
        data=[{"input": "a", "expected": "Bonn"}, {"input": "b", "expected": "Ulm"}],
        task=lambda _: "It is in Bonn.",
        scores=["names_it", "exact_match", "half", lambda output: len(output) / 100],
        url=server.url,
        progress=False,
        summary=False,
    )
    means = {name: score.mean for name, score in result.scores.items()}
    assert means == {"names_it": 0.5, "exact_match": 0.0, "half": 0.5, "scorer_4": 0.14}
    spans = client.sql(
        "SELECT metadata FROM spans WHERE type = 'score' AND name = 'names_it' AND project = 'p'"
    ).rows()
    assert "looked" in json.dumps(spans[0]["metadata"])


def test_a_name_that_no_scorer_has_is_refused_before_anything_runs(server: Server) -> None:
    with pytest.raises(EvalError, match=r"cannot use scorer 'nosuch'.*tracestore push"):
        Eval(
            "p",
            data=[{"input": 1}],
            task=lambda _: pytest.fail("ran"),
            scores=["nosuch"],
            url=server.url,
        )


def test_a_scorer_that_fails_is_one_result(server: Server, client: Client) -> None:
    body = {"type": "python", "code": "def bad(output):\n    return 1 / 0", "function": "bad"}
    client.scorers.put("bad", body, project="p")
    result = Eval(
        "p",
        data=[{"input": 1}],
        task=str,
        scores=["bad"],
        url=server.url,
        progress=False,
        summary=False,
    )
    assert "line 2: ZeroDivisionError" in result.cases[0].scorer_errors["bad"]


@pytest.mark.usefixtures("shop")
def test_production_is_scored_by_name_and_an_alert_looks_at_it(
    server: Server, client: Client
) -> None:
    rows = [
        {
            "name": "answer",
            "type": "task",
            "input": "a",
            "output": f"In {city}.",
            "expected": "Bonn",
        }
        for city in ("Bonn", "Ulm", "Ulm", "Ulm")
    ]
    client.insert("spans", rows)
    alert = client.alerts.create(
        "Few right",
        {
            "sql": "SELECT avg(scores.names_it) FROM spans",
            "op": "<",
            "threshold": 0.5,
            "every_s": 10,
        },
    )
    given = ["score-online", "--scorer", "names_it", "--sample", "1", "--once", "--url", server.url]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert "scored 4 spans" in done.output
    [mean] = client.sql("SELECT avg(scores.names_it) AS mean FROM spans").rows()
    assert mean == {"mean": 0.25}
    # A changed alert is looked at at once.
    rule = {**{key: alert["rule"][key] for key in ("sql", "op", "threshold")}, "every_s": 11}
    client.alerts.save(alert["document_id"], "Few right", rule, version=1)
    deadline = time.monotonic() + HANG_S
    while not (events := client.alerts.events(alert["document_id"])):
        assert time.monotonic() < deadline, "the alert did not fire"
    assert (events[0]["state"], events[0]["value"]) == ("firing", "0.25")


@pytest.mark.usefixtures("shop")
def test_a_conflict_is_told(client: Client) -> None:
    body = client.scorers.get("names_it")["body"]
    with pytest.raises(ClientError, match="version 1"):
        client.scorers.delete("names_it", version=7)
    assert client.scorers.put("names_it", body)["version"] == 1
