"""The dashboards of docs/grafana ask what the server answers, as Grafana asks it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from data import processes
from tracestore.client import Client
from tracestore.demo.support import PROJECT, support_day
from tracestore.demo.support_evals import run_support_evals
from tracestore.server import Server, ServerSettings

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "grafana"
END_NS = 1_790_000_000_000_000_000
VALUES = {
    "__from": str(END_NS // 10**6 - 24 * 3_600_000),
    "__to": str(END_NS // 10**6),
    "__interval_ms": "300000",
    "project": PROJECT,
}


def panels() -> list[Any]:
    """Returns each panel's query, by dashboard and title."""
    return [
        pytest.param(target, id=f"{path.stem}: {panel['title']}")
        for path in sorted((FOLDER / "dashboards").glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = ServerSettings(
        data=tmp_path_factory.mktemp("grafana") / "store", port=0, grpc_port=-1
    )
    with Server(settings) as server:
        server.store.insert("spans", support_day(END_NS), PROJECT)
        with Client(server.url) as client:
            run_support_evals(client, END_NS)
        with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as opened:
            yield opened


def as_sent(text: str) -> str:
    """Returns a text with Grafana's variables in place; a name that is no variable stays as it is."""
    return re.sub(
        r"\$\{(\w+)\}|\$(\w+)", lambda name: VALUES.get(name[1] or name[2], name[0]), text
    )


@pytest.mark.parametrize("target", panels())
def test_each_panel_gets_rows_with_the_columns_that_it_shows(
    http: httpx.Client, target: dict[str, Any]
) -> None:
    options = target["url_options"]
    params = {each["key"]: as_sent(each["value"]) for each in options["params"]}
    answer = http.request(options["method"], target["url"], params=params)
    assert answer.status_code == 200, answer.text
    rows = answer.json()
    assert rows
    kinds = {"timestamp": str, "string": str, "number": int | float}
    for column in target["columns"]:
        values = [row[column["selector"]] for row in rows]
        assert any(value is not None for value in values), column
        assert all(isinstance(v, kinds[column["type"]] | None) for v in values), column
    assert set(rows[0]) == {column["selector"] for column in target["columns"]}
    if target["format"] == "timeseries":
        times = [row["time"] for row in rows]
        assert times == sorted(times)


def test_ids_are_what_the_files_of_provisioning_name() -> None:
    source = (FOLDER / "provisioning" / "datasources" / "tracestore.yaml").read_text()
    [uid] = re.findall(r"^    uid: (\S+)$", source, re.MULTILINE)
    [kind] = re.findall(r"^    type: (\S+)$", source, re.MULTILINE)
    boards = [json.loads(path.read_text()) for path in (FOLDER / "dashboards").glob("*.json")]
    assert len({board["uid"] for board in boards}) == len(boards) == 3
    for board in boards:
        for panel in board["panels"]:
            for part in (panel, *panel["targets"]):
                assert part["datasource"] == {"type": kind, "uid": uid}


SHEETS = (Path(__file__).resolve().parents[2] / "docs" / "guide" / "dashboards.md").read_text()


@pytest.mark.parametrize("sql", re.findall(r'(?:Sql|const sql) = "([^"]+)"', SHEETS))
def test_a_spreadsheets_statement_is_answered_with_a_line_for_names(
    http: httpx.Client, sql: str
) -> None:
    answer = http.get(
        "/api/query", params={"sql": sql, "format": "csv"}, headers={"X-API-Key": "KEY"}
    )
    assert answer.status_code == 200
    lines = list(csv.reader(answer.text.splitlines()))
    assert lines[0] == ["model", "cost"] and len(lines) > 2
