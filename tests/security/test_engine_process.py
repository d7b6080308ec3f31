"""The engine process may end at any moment: no acknowledged row is lost, data is taken on, answers are right again."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from data import processes
from tracestore.server import Server, ServerSettings

COUNT = {"sql": "SELECT count(*) AS n FROM spans"}
ENDLESS = {
    "sql": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
}
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    chosen = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)
    with Server(chosen) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client:
        yield client


def asked(http: httpx.Client, body: Mapping[str, object]) -> httpx.Response:
    """Returns a statement's answer; asks again where the server says so."""
    while True:
        answer = http.post("/api/query", json=body)
        if answer.status_code != 503:
            return answer
        assert answer.headers["retry-after"]


def engine_of(server: Server, http: httpx.Client) -> int:
    """Returns the id of the engine process, which answers now."""
    while True:
        assert asked(http, {"sql": "SELECT 1"}).status_code == 200
        if server.engine is not None and (pid := server.engine.pid) is not None:
            return pid


def gauge(http: httpx.Client, name: str) -> float:
    lines = http.get("/metrics").text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


def insert(http: httpx.Client, name: str, count: int = 1) -> None:
    rows = f'{{"name":"{name}","attributes":{{"a":1}}}}\n'.encode() * count
    answer = http.post("/api/import", content=rows, headers=NDJSON)
    assert answer.status_code == 200
    assert answer.json()["rows"] == count


@contextlib.contextmanager
def load(server: Server) -> Iterator[httpx.Client]:
    """Sends rows and asks for their count while the block runs, and gives another client.

    Afterwards every acknowledged row is there once, and answers are right at once.
    """
    stop = threading.Event()

    def send(sender: int) -> int:
        sent = 0
        with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client:
            while not stop.is_set():
                insert(client, f"of {sender}", 10)
                sent += 10
        return sent

    def ask() -> int:
        """Returns the number of answers; each has no fewer rows than the one before."""
        answers = rows = 0
        with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client:
            while not stop.is_set():
                answer = asked(client, COUNT)
                if answer.status_code == 200:
                    now = answer.json()["rows"][0][0]
                    assert now >= rows
                    rows, answers = now, answers + 1
                else:
                    # The process ended over it alone, twice; or another statement had all of the memory.
                    assert answer.status_code == 422
        return answers

    with (
        ThreadPoolExecutor(4) as pool,
        httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client,
    ):
        senders = [pool.submit(send, sender) for sender in range(2)]
        askers = [pool.submit(ask) for _ in range(2)]
        try:
            yield client
        finally:
            stop.set()
        sent = sum(each.result() for each in senders)
        assert all(each.result() > 0 for each in askers)
        sql = "SELECT sum(attributes.a)::BIGINT, count(*) FROM spans WHERE name LIKE 'of %'"
        assert asked(client, {"sql": sql}).json()["rows"] == [[sent, sent]]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_ends_under_load_lose_nothing_and_stop_no_ingest(server: Server, number: int) -> None:
    with load(server) as client:
        for _ in range(4):
            os.kill(engine_of(server, client), number)
            insert(client, "between", 10)
        engine_of(server, client)
        assert gauge(client, "tracestore_engine_restarts") >= 4
        sql = "SELECT count(*) FROM spans WHERE name = 'between'"
        assert asked(client, {"sql": sql}).json()["rows"] == [[40]]


HUNGRY = [
    "SELECT length(string_agg(md5(range::VARCHAR), '')) FROM range(20000000)",
    "SELECT len(list(range)) FROM range(300000000)",
    "SELECT md5(string_agg(range::VARCHAR, '')) FROM range(5000000) GROUP BY range % 4",
]


def test_statements_that_want_all_memory_lose_nothing_and_stop_no_ingest(tmp_path: Path) -> None:
    chosen = ServerSettings(
        data=tmp_path / "store", port=0, grpc_port=-1, query_memory_mb=256, query_spill_bytes=0
    )
    with Server(chosen) as server, load(server) as client:
        for sql in HUNGRY:
            assert asked(client, {"sql": sql}).status_code in {200, 408, 422}
            insert(client, "between", 10)
            assert asked(client, {"sql": "SELECT 1"}).status_code == 200


def test_a_process_that_does_not_answer_is_replaced(server: Server, http: httpx.Client) -> None:
    before = engine_of(server, http)
    os.kill(before, signal.SIGSTOP)
    insert(http, "x")
    assert asked(http, {"sql": "SELECT count(*) FROM spans"}).json()["rows"] == [[1]]
    assert engine_of(server, http) != before
    assert gauge(http, "tracestore_engine_killed") == 1


def test_a_statement_that_ends_the_engine_is_told_and_not_run_for_ever(
    server: Server, http: httpx.Client
) -> None:
    for _ in range(2):
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(http.post, "/api/query", json=ENDLESS)
            killed: set[int] = set()
            while not answer.done():
                pid = server.engine.pid if server.engine is not None else None
                running = gauge(http, "tracestore_queries_running")
                if pid is not None and pid not in killed and running == 1:
                    killed.add(pid)
                    os.kill(pid, signal.SIGSEGV)
            assert answer.result().status_code == 422, answer.result().text
    # Once a statement is answered, the process in place of the one that ended is counted.
    assert asked(http, {"sql": "SELECT 1"}).status_code == 200
    assert gauge(http, "tracestore_engine_restarts") == 2


HUGE = [
    "SELECT len(range(3000000000))",
    "SELECT length(repeat('x', 4000000000))",
    "SELECT list_resize(['x'], 500000000, 'abcdefghijklmnop')",
]


@pytest.mark.parametrize("sql", HUGE)
def test_one_value_of_gigabytes_is_refused_and_the_process_stays(
    server: Server, http: httpx.Client, sql: str
) -> None:
    before = engine_of(server, http)
    # Refused by the fence before it runs, or by the bound on memory as it does.
    assert http.post("/api/query", json={"sql": sql}).status_code in {403, 422}
    assert engine_of(server, http) == before


LONG = [
    "SELECT damerau_levenshtein(repeat('ab', 50000), repeat('ba', 50000))",
    "SELECT " + ",".join(f"attributes.p{number}" for number in range(5000)) + " FROM spans",
    "SELECT " + ",".join(["1"] * 40_000),
    "SELECT " + ",".join(["attributes"] * 2000) + " FROM spans",
]


@pytest.mark.parametrize("sql", LONG, ids=lambda sql: sql[:30])
def test_work_ends_with_its_time_whatever_it_is(http: httpx.Client, sql: str) -> None:
    insert(http, "x", 100)
    answer = asked(http, {"sql": sql, "timeout_s": 0.05})
    assert answer.status_code == 408
    assert answer.json()["title"] == "QueryTimeoutError"
    assert asked(http, COUNT).json()["rows"] == [[100]]


def test_many_endless_statements_leave_room_for_others(server: Server) -> None:
    def endless() -> int:
        body = {**ENDLESS, "timeout_s": 20}
        with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client:
            return client.post("/api/query", json=body).status_code

    with ThreadPoolExecutor(44) as pool:
        statements = [pool.submit(endless) for _ in range(44)]
        elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(
            base_url=server.url, transport=elsewhere, timeout=processes.HANG_S
        ) as other:
            while gauge(other, "tracestore_queries_running") < 6:
                pass
            assert gauge(other, "tracestore_queries_queued") <= 32
            assert other.post("/api/query", json={"sql": "SELECT 1"}).status_code == 200
            insert(other, "meanwhile")
            # Ends them all at once.
            os.kill(engine_of(server, other), signal.SIGKILL)
        assert {each.result() for each in statements} <= {408, 422, 503}


def test_a_fork_server_that_is_gone_is_started_again(server: Server, http: httpx.Client) -> None:
    engine = engine_of(server, http)
    stat = Path(f"/proc/{engine}/stat").read_text().rsplit(")", 1)[1].split()
    os.kill(int(stat[1]), signal.SIGKILL)
    while engine_of(server, http) == engine:
        pass
    insert(http, "x")
    assert asked(http, COUNT).json()["rows"] == [[1]]


def test_what_was_spilled_goes_with_its_process(server: Server, http: httpx.Client) -> None:
    folder = Path(server._spill.name)
    before = engine_of(server, http)
    assert len(list(folder.glob("tracestore-spill-*"))) == 1
    os.kill(before, signal.SIGKILL)
    while engine_of(server, http) == before:
        pass
    assert len(list(folder.glob("tracestore-spill-*"))) == 1


REQUESTS: list[tuple[str, str, dict[str, object] | None]] = [
    ("GET", "/api/schema?examples=2", None),
    ("GET", "/api/schema?table=nothing", None),
    ("POST", "/api/query", {"sql": "SELECT name, attributes FROM spans ORDER BY name LIMIT 2"}),
    ("POST", "/api/query", {"sql": "SELECT"}),
    ("POST", "/api/query", {"sql": "SELECT nothing FROM nowhere"}),
    ("POST", "/api/query", {"sq": 1}),
    ("POST", "/api/query", {"sql": "SELECT $x", "params": {"x": [1, "ä"]}}),
    ("GET", "/api/traces/0123456789abcdef0123456789abcdef", None),
    ("GET", "/api/traces/xyz", None),
    ("GET", "/api/datasets", None),
    ("GET", "/api/experiments", None),
    (
        "POST",
        "/api/datasets/query?name=d",
        {"sql": "SELECT input FROM spans WHERE input IS NOT NULL"},
    ),
    ("POST", "/api/datasets/query?name=d", {"sql": "SELECT nothing FROM spans"}),
    ("POST", "/api/datasets/query?name=d", {"sql": "SELECT name AS nowhere FROM spans"}),
    ("POST", "/api/query", {"sql": "SELECT id, input, expected FROM dataset('d') ORDER BY id"}),
    ("POST", "/api/experiments/compare", {"experiments": ["a", "b"]}),
]


def test_answers_are_those_of_one_process(tmp_path: Path) -> None:
    found = []
    for apart in (True, False):
        chosen = ServerSettings(
            data=tmp_path / f"store{apart}", port=0, grpc_port=-1, engine_process=apart
        )
        with (
            Server(chosen) as server,
            httpx.Client(base_url=server.url, timeout=processes.HANG_S) as http,
        ):
            rows = b"".join(
                b'{"name":"n%d","trace_id":"%032x","span_id":"%016x","start_ns":%d,"input":"q%d"}\n'
                % (number, number, number, 10**18 + number, number)
                for number in range(1, 40)
            )
            assert http.post("/api/import", content=rows, headers=NDJSON).status_code == 200
            answers = []
            for method, path, body in REQUESTS:
                answer = http.request(method, path, json=body)
                content = answer.json()
                if isinstance(content, dict):
                    content.pop("stats", None)
                answers.append((path, answer.status_code, answer.headers["content-type"], content))
            found.append(answers)
    for ours, theirs in zip(*found, strict=True):
        assert ours == theirs
