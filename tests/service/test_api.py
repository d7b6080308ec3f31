"""The query API: formats, errors for people, schema, traces, import."""

from __future__ import annotations

import io
import json

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tracestore.client import Client, ClientError
from tracestore.server import Server

TRACE = "0123456789abcdef0123456789abcdef"


def rows(count: int) -> list[dict[str, object]]:
    return [
        {
            "trace_id": TRACE,
            "span_id": f"{number + 1:016x}",
            "parent_span_id": f"{1:016x}" if number else None,
            "name": "root" if number == 0 else "step",
            "start_ns": 1_700_000_000_000_000_000 + number,
            "duration_ns": 1000,
            "attributes": {"n": number, "text": f"value {number}"},
            "input": {"question": "why?"},
        }
        for number in range(count)
    ]


@pytest.fixture
def filled(server: Server) -> Server:
    server.store.insert("spans", rows(5))
    return server


@pytest.mark.usefixtures("filled")
def test_a_result_comes_in_every_format(http: httpx.Client) -> None:
    sql = "SELECT name, attributes.n AS n, input FROM spans ORDER BY start_ns"

    def answer(accept: str) -> httpx.Response:
        response = http.post("/api/query", json={"sql": sql}, headers={"accept": accept})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(accept)
        return response

    document = answer("application/json").json()
    assert [column["name"] for column in document["columns"]] == ["name", "n", "input"]
    assert document["rows"][1] == ["step", 1, {"question": "why?"}]
    lines = answer("application/x-ndjson").text.splitlines()
    assert json.loads(lines[1]) == {"name": "step", "n": 1, "input": {"question": "why?"}}
    assert answer("text/csv").text.splitlines()[:2] == [
        '"name","n","input"',
        '"root",0,"{""question"":""why?""}"',
    ]
    table = pa.ipc.open_stream(answer("application/vnd.apache.arrow.stream").content).read_all()
    assert table.column("n").to_pylist() == [0, 1, 2, 3, 4]
    parquet = pq.read_table(io.BytesIO(answer("application/vnd.apache.parquet").content))
    assert parquet.equals(table)


def test_errors_are_problems_with_a_hint(http: httpx.Client) -> None:
    cases = (
        ("SELEC 1", 400, ""),
        ("SELECT nope FROM spans", 400, ""),
        ("SELECT * FROM spanz", 400, "did you mean spans"),
        ("DROP TABLE spans", 403, ""),
        ("SELECT * FROM read_csv('/etc/passwd')", 403, ""),
    )
    for sql, status, hint in cases:
        answer = http.post("/api/query", json={"sql": sql})
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert hint in (answer.json()["hint"] or "")


@pytest.mark.usefixtures("filled")
def test_a_cut_result_says_so(http: httpx.Client) -> None:
    answer = http.post("/api/query", json={"sql": "SELECT name FROM spans", "max_rows": 2}).json()
    assert len(answer["rows"]) == 2
    assert "cut" in answer["warnings"][-1]


@pytest.mark.usefixtures("filled")
def test_parameters_are_values_not_text(http: httpx.Client) -> None:
    body = {
        "sql": "SELECT count(*) AS n FROM spans WHERE name = $name",
        "params": {"name": "x' OR '1'='1"},
    }
    assert http.post("/api/query", json=body).json()["rows"] == [[0]]


@pytest.mark.usefixtures("filled")
def test_schema_lists_paths_with_types(http: httpx.Client) -> None:
    found = http.get("/api/schema", params={"prefix": "attributes."}).json()
    assert found["paths"] == [
        {"path": "attributes.n", "types": {"i64": 5}},
        {"path": "attributes.text", "types": {"str": 5}},
    ]


@pytest.mark.usefixtures("filled")
def test_a_trace_comes_as_skeleton_then_whole(http: httpx.Client) -> None:
    skeleton = http.get(f"/api/traces/{TRACE}").json()["spans"]
    assert [span["name"] for span in skeleton] == ["root", "step", "step", "step", "step"]
    assert "attributes" not in skeleton[0]
    whole = http.get(f"/api/traces/{TRACE}", params={"payloads": True}).json()["spans"]
    assert whole[2]["attributes"] == {"n": 2, "text": "value 2"}
    assert http.get(f"/api/traces/{'f' * 32}").status_code == 404
    assert http.get("/api/traces/xyz").status_code == 422


@pytest.mark.usefixtures("filled")
def test_one_span_comes_whole(http: httpx.Client) -> None:
    span = http.get(f"/api/traces/{TRACE}/spans/{3:016x}").json()
    assert (span["name"], span["attributes"]) == ("step", {"n": 2, "text": "value 2"})
    assert http.get(f"/api/traces/{TRACE}/spans/{99:016x}").status_code == 404


def test_a_trace_of_100_000_spans_opens(server: Server, http: httpx.Client) -> None:
    server.store.insert("spans", rows(100_000))
    found = http.get(f"/api/traces/{TRACE}").json()
    assert len(found["spans"]) == 100_000
    assert found["spans"][99_999]["parent_span_id"] == f"{1:016x}"


@pytest.mark.usefixtures("filled")
def test_pages_join_up(http: httpx.Client) -> None:
    body = {"sql": "SELECT attributes.n AS n FROM spans ORDER BY start_ns LIMIT 2", "cursor": ""}
    found = []
    while body["cursor"] is not None:
        answer = http.post("/api/query", json=body).json()
        found += [row[0] for row in answer["rows"]]
        body["cursor"] = answer["cursor"]
    assert found == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("filled")
def test_schema_gives_examples(http: httpx.Client) -> None:
    found = http.get("/api/schema", params={"prefix": "attributes.", "examples": 2}).json()
    examples = {path["path"]: path["examples"] for path in found["paths"]}
    assert set(examples) == {"attributes.n", "attributes.text"}
    assert all(len(values) == 2 for values in examples.values())
    assert set(examples["attributes.n"]) < {"0", "1", "2", "3", "4"}
    columns = http.get("/api/schema", params={"prefix": "start"}).json()["columns"]
    assert [column["name"] for column in columns] == ["start_time", "start_ns"]


def test_schema_has_all_of_10_000_paths(server: Server, http: httpx.Client) -> None:
    attributes = [{f"key.{n}.{part}": 1 for n in range(100)} for part in range(100)]
    server.store.insert("spans", [{"name": "x", "attributes": each} for each in attributes])
    found = http.get("/api/schema", params={"prefix": 'attributes."key', "examples": 1}).json()
    assert (len(found["paths"]), found["total"]) == (10_000, 10_000)
    assert found["paths"][0]["examples"] == ["1"]


def test_requests_have_ids(http: httpx.Client) -> None:
    given = http.get("/healthz", headers={"x-request-id": "abc-1.2"})
    assert given.headers["x-request-id"] == "abc-1.2"
    made = [
        http.get("/healthz", headers={"x-request-id": bad}).headers["x-request-id"]
        for bad in ("", "a b", "x" * 200)
    ]
    assert len(set(made)) == 3
    assert all(len(each) == 16 for each in made)


def test_the_client_has_the_verbs_of_the_store(server: Server) -> None:
    with Client(server.url) as client:
        report = client.insert("spans", [*rows(3), {"name": "no", "wrong": 1}])
        assert (report["rows"], report["rejected_rows"]) == (3, 1)
        assert client.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 3}]
        with pytest.raises(ClientError, match="unknown table"):
            client.sql("SELECT * FROM nothing")


def test_operations_answer(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.get("/readyz").json()["status"] == "ready"
    metrics = http.get("/metrics").text
    assert "tracestore_memory_rows" in metrics
    assert http.get("/openapi.json").status_code == 200


def test_rows_are_deleted_by_any_condition_after_they_were_counted(filled: Server) -> None:
    where = "attributes.n > $least OR attributes.text = 'value 0'"
    with Client(filled.url) as client:
        counted = client.delete(where=where, params={"least": 2}, dry_run=True)
        assert (counted["rows"], len(client.sql("FROM spans").rows())) == (3, 5)
        gone = client.delete(where=where, params={"least": 2})
        assert gone["rows"] == 3
        left = client.sql("SELECT attributes.n AS n FROM spans ORDER BY n").rows()
        assert left == [{"n": 1}, {"n": 2}]
    filled.store.flush()
    with filled.store.snapshot() as snapshot:
        files = [pq.read_table(segment.uri) for segment in snapshot.tables["spans"].segments]
    texts = str([file.to_pylist() for file in files])
    assert "value 1" in texts
    assert "value 4" not in texts, "nor in the files that are read"
