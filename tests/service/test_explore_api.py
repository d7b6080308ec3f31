"""Looking around over HTTP gives what the client's verbs return, of one project or of all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tracestore.client import Client
from tracestore.errors import ClientError
from tracestore.server import Server, ServerSettings

TRACE = "a" * 32


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)
    with Server(settings) as server, Client(server.url) as opened:
        for project, model in (("shop", "fast"), ("bank", "slow")):
            spans = [
                {
                    "trace_id": TRACE,
                    "name": f"span {number}",
                    "duration_ns": 1000,
                    "metadata": {"model": model},
                }
                for number in range(4)
            ]
            opened.insert("spans", spans, project=project)
        yield opened


def test_facets_are_of_one_project_or_of_all(client: Client) -> None:
    assert [each["name"] for each in client.explore.projects()] == ["bank", "shop"]
    [facet] = client.explore.facets(paths=["metadata.model"], project="shop")
    assert [(each["value"], each["rows"]) for each in facet["values"]] == [("fast", 4)]
    [facet] = client.explore.facets(paths=["metadata.model"])
    assert facet["rows"] == 8


def test_counts_and_differences_are_of_the_rows_that_a_condition_selects(client: Client) -> None:
    assert client.explore.timeline("metadata.model = 'slow'")["total"] == 4
    assert sum(cell[2] for cell in client.explore.heatmap()["cells"]) == 8
    found = client.explore.differences("project = 'shop'")
    assert found["differences"][0]["path"] == "metadata.model"
    with pytest.raises(ClientError, match="not one condition"):
        client.explore.timeline("true LIMIT 1")


def test_a_waterfall_is_an_arrow_stream(client: Client) -> None:
    table = pa.ipc.open_stream(client.explore.waterfall(TRACE, project="shop")).read_all()
    assert table.num_rows == 4
    with pytest.raises(ClientError, match="no trace"):
        client.explore.waterfall("f" * 32)
