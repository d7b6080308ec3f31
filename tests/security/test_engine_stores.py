"""The engine process reads what its writer writes, wherever that lies, with the settings of the server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import tracestore
from data import processes
from store import servers
from tracestore import Store
from tracestore.engine_process.door import EngineDoor
from tracestore.engine_process.supervisor import Supervisor
from tracestore.engine_process.turns import Turns
from tracestore.server import Server, ServerSettings, engine_supervisor

MEGABYTE = 1024 * 1024


@pytest.fixture(params=["folder", "s3 and postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with contextlib.ExitStack() as stack:
        places = {}
        if request.param != "folder":
            (tmp_path / "s3").mkdir()
            places["segments_url"] = stack.enter_context(servers.s3(tmp_path / "s3"))
            places["catalog_url"] = stack.enter_context(servers.postgres())
        opened = tracestore.open(tmp_path / "store", background=False, **places)
        yield stack.enter_context(opened)


def answers(store: Store, statements: list[str], **settings: object) -> list[object]:
    """Returns what an engine process answers, each statement after one more row came."""

    async def asked(door: EngineDoor) -> list[object]:
        found: list[object] = []
        transport = httpx.ASGITransport(app=door)
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            for sql in statements:
                store.insert("spans", [{"name": "in memory"}], project="shop")
                answer = await client.post(
                    "/api/query", json={"sql": sql}, timeout=processes.HANG_S
                )
                found.append(answer.json().get("rows", answer.json().get("title")))
        door.close()
        return found

    with running(store, **settings) as supervisor:
        return asyncio.run(asked(EngineDoor(supervisor, Turns(8, 64), {})))


@contextlib.contextmanager
def running(store: Store, **settings: object) -> Iterator[Supervisor]:
    """Runs an engine process over a store that is open, without a server."""
    folder = store.folder / "spilled"
    folder.mkdir()
    chosen = ServerSettings(data=store.folder, **settings)  # type: ignore[arg-type]
    supervisor = engine_supervisor(chosen, store, str(folder))
    try:
        supervisor.start()
        yield supervisor
    finally:
        supervisor.close()


def test_an_engine_process_reads_segments_and_rows_in_memory(store: Store) -> None:
    rows = [{"name": f"flushed {number}", "attributes": {"n": number}} for number in range(50)]
    store.insert("spans", rows, project="shop")
    store.flush()
    counts = "SELECT count(*), sum(attributes.n)::BIGINT FROM spans"
    assert answers(store, [counts, counts, "SELECT count(*) FROM segments"]) == [
        [[51, 1225]],
        [[52, 1225]],
        [[1]],
    ]


def test_what_an_engine_process_spills_is_bounded_as_the_server_is_told(tmp_path: Path) -> None:
    sort = "SELECT md5(range::VARCHAR) AS r FROM range(20000000) ORDER BY r"
    with tracestore.open(tmp_path / "store", background=False) as store:
        found = answers(store, [sort, "SELECT 1"], query_memory_mb=256, query_spill_bytes=MEGABYTE)
    assert found == ["QueryMemoryError", [[1]]]


LARGE = [
    "SELECT md5(range::VARCHAR) AS r FROM range(5000000) ORDER BY r",
    "SELECT count(*) FROM (SELECT DISTINCT md5(range::VARCHAR) FROM range(4000000))",
    "SELECT range % 100000 AS k, list(range) FROM range(5000000) GROUP BY 1",
]


def _memory_kib(pid: int | None, field: str) -> int:
    """Returns what the kernel counts of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(field)[2].split()[0])


def test_memory_that_statements_gave_back_does_not_count(tmp_path: Path) -> None:
    with (
        Server(
            ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1, query_memory_mb=256)
        ) as server,
        httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client,
    ):
        for sql in LARGE:
            body = {"sql": f"SELECT count(*) FROM ({sql})"}
            assert client.post("/api/query", json=body).status_code == 200
        assert server.engine is not None
        counted_kib, used_kib = (
            _memory_kib(server.engine.pid, field) for field in ("VmData:", "RssAnon:")
        )
        # Stacks of threads are counted, and not used: 8 MiB each.
        assert counted_kib - used_kib < 400 * 1024


def test_a_process_that_has_all_of_its_memory_and_nothing_to_do_is_replaced(
    tmp_path: Path,
) -> None:
    with tracestore.open(tmp_path / "store", background=False) as store:
        with running(store) as given:
            engine = asyncio.run(given.ready())
            # Before its first statement; a twentieth more lets the next one start, and is nearly nothing.
            bound = _memory_kib(engine.pid, "VmData:") * 1024 * 21 // 20
            settings = given._settings
        supervisor = Supervisor(
            dataclasses.replace(settings, data_bytes=bound, retire_after_s=0.0),
            given._server,
            store.changes,
        )
        try:
            supervisor.start()
            first = supervisor._process
            assert first is not None
            assert first.gone.wait(processes.HANG_S)
            assert first.status == 0
        finally:
            supervisor.close()


def test_a_server_has_an_engine_process_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    for apart in (True, False):
        settings = ServerSettings(
            data=tmp_path / f"store{apart}", port=0, grpc_port=-1, engine_process=apart
        )
        assert ServerSettings().engine_process
        with Server(settings) as server:
            body = {"sql": "SELECT 1 AS one"}
            answer = httpx.post(f"{server.url}/api/query", json=body, timeout=processes.HANG_S)
            assert answer.json()["rows"] == [[1]]
            assert (server.engine is not None) is apart
