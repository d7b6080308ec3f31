"""A statement in an address gets the answer of one in a body, in every format, and a 304 while rows are the same."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data import processes, stores
from tracestore.server import Server, ServerSettings
from tracestore_query.execute import answer_state

SQL = (
    "SELECT time_bucket($step, start_time) AS time, count(*) AS spans FROM spans "
    "WHERE start_time >= $from AND start_time < $to GROUP BY time ORDER BY time"
)
START_MS = stores.START_NS // 1_000_000
ASKED = {"sql": SQL, "from": str(START_MS), "to": str(START_MS + 8), "step": "4"}


@pytest.fixture(params=[False, True], ids=["one process", "engine process"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    settings = ServerSettings(
        data=tmp_path / "store", port=0, grpc_port=-1, engine_process=request.param
    )
    with Server(settings) as running:
        running.store.insert("spans", [stores.span(number) for number in range(20)])
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client:
        yield client


def ask(http: httpx.Client, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    answer = http.get("/api/query", params={**ASKED, **params}, headers=headers)
    assert answer.status_code in {200, 304}, answer.text
    return answer


def test_every_format_has_the_rows_that_the_body_gets(http: httpx.Client) -> None:
    sql = SQL.replace("$step", "INTERVAL 4 MILLISECONDS")
    sql = sql.replace("$to", "'2026-09-21 14:13:20.008Z'")
    body = {"sql": sql, "params": {"from": "2000-01-01"}}
    rows = http.post("/api/query", json=body).json()["rows"]
    assert [row[1] for row in rows] == [4, 4]
    assert ask(http).json()["rows"] == rows
    objects = [{"time": time, "spans": spans} for time, spans in rows]
    assert ask(http, format="objects").json() == objects
    assert ask(http, headers={"Accept": "text/csv"}).text.splitlines()[0] == '"time","spans"'
    arrow = pa.ipc.open_stream(ask(http, format="arrow").content).read_all()
    parquet = pq.read_table(io.BytesIO(ask(http, format="parquet").content))
    assert arrow["spans"].to_pylist() == parquet["spans"].to_pylist() == [4, 4]
    assert len(ask(http, format="ndjson").text.splitlines()) == 2
    assert ask(http, format="objects", to=str(START_MS)).json() == []


@pytest.mark.parametrize(
    ("time_from", "to", "step"),
    [
        (str(START_MS), "2026-09-21T14:13:20.008Z", "4ms"),
        ("2026-09-21T16:13:20+02:00", "2026-09-21T14:13:20.008", "0.004s"),
        ("2026-09-21T16:13:20 02:00", "2026-09-21 14:13:20.008", "4000us"),
    ],
)
def test_times_are_milliseconds_or_iso_8601(
    http: httpx.Client, time_from: str, to: str, step: str
) -> None:
    given: dict[str, Any] = {"from": time_from, "to": to, "step": step}
    answer = ask(http, **given)
    assert answer.json()["rows"] == ask(http).json()["rows"]


def test_parameters_of_ones_own_stand_beside_the_times(http: httpx.Client) -> None:
    sql = "SELECT count(*) FROM spans WHERE start_time >= $from AND attributes.number < $most"
    assert ask(http, sql=sql, params='{"most": 3}').json()["rows"] == [[3]]
    listed = http.get("/api/query", params={"sql": "SELECT ? + ?", "params": "[1, 2]"})
    assert listed.json()["rows"] == [[3]]


def test_the_same_rows_are_not_sent_again(server: Server, http: httpx.Client) -> None:
    tag = ask(http).headers["etag"]
    assert ask(http).headers["etag"] == tag
    again = ask(http, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["cache-control"] == "private, no-cache"
    assert ask(http, format="csv").headers["etag"] != tag
    assert ask(http, step="2").headers["etag"] != tag
    for change in (
        lambda: server.store.insert("spans", [stores.span(100)]),
        lambda: server.store.patch(
            [{"trace_id": f"{1:032x}", "span_id": f"{1:016x}", "tags": ["x"]}]
        ),
        server.store.flush,
    ):
        change()
        answer = ask(http, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["etag"] == tag) == (200, False)
        tag = answer.headers["etag"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT now()",
        "SELECT count(*) FROM spans WHERE start_time > now() - INTERVAL 1 DAY",
        "SELECT count(*) FROM spans WHERE start_time < current_date",
        "SELECT random() FROM spans",
        "SELECT * FROM projects",
        "SELECT * FROM experiments",
        "EXPLAIN SELECT 1",
    ],
)
def test_an_answer_that_rows_alone_do_not_make_has_no_tag(http: httpx.Client, sql: str) -> None:
    answer = ask(http, sql=sql)
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_functions_of_time_and_chance_are_known(server: Server) -> None:
    result = server.store.sql("SELECT 1")
    result.close()
    engine = server.store.query._engine
    listed = engine.cursor().execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() "
        "WHERE stability <> 'CONSISTENT' AND len(parameters) = 0"
    )
    names = {name for (name,) in listed.fetchall()}
    assert names & engine.functions <= answer_state.VARYING
