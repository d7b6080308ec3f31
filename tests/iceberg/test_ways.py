"""The ways to publish: the command, a server's route and thread; and the places where tables may lie."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.table import Table
from typer.testing import CliRunner

import tracestore
from data import processes
from data.stores import span
from iceberg.kit import arrow_of, table_of
from nodes.cluster import Cluster
from store import servers
from tracestore.cli import app
from tracestore.errors import TraceStoreError
from tracestore.iceberg import expiry
from tracestore.iceberg.publisher import Publisher, PublishReport
from tracestore.iceberg.publishing import publish
from tracestore.iceberg.warehouse import namespace_of
from tracestore.server import Server, ServerSettings
from tracestore.store import Publications, PublishedSegment
from tracestore.store.catalog import published_table
from tracestore.store.core import Core
from tracestore.store.nodes import leases


def given(**settings: Any) -> ServerSettings:
    return ServerSettings(**settings)


def test_the_command_publishes_a_folder(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [span(number) for number in range(30)])
    done = CliRunner().invoke(
        app, ["iceberg", "publish", "--data", str(tmp_path), "--format", "json"]
    )
    assert done.exit_code == 0, done.output
    [report] = json.loads(done.stdout)
    assert (report["tables"], report["rows"], report["added"]) == (1, 30, 1)
    with tracestore.open(tmp_path, background=False) as store:
        assert len(arrow_of(store)) == 30


def test_a_server_publishes_when_asked_and_by_itself(tmp_path: Path) -> None:
    settings = given(
        data=tmp_path, port=0, grpc_port=-1, iceberg_every="0.2s", engine_process=False
    )
    assert settings.iceberg_every == 0.2
    with Server(settings) as server, tracestore.Client(server.url) as client:
        client.insert("spans", [span(number) for number in range(20)])
        report = client.publish_iceberg()
        assert report["rows"] == 20
        client.insert("spans", [span(number) for number in range(20, 50)])
        deadline = time.monotonic() + processes.HANG_S
        while len(arrow_of(server.store)) < 50:
            assert time.monotonic() < deadline
        assert len(arrow_of(server.store)) == 50


def test_a_bucket_and_a_database_hold_tables_too(tmp_path: Path) -> None:
    with servers.postgres() as catalog, servers.s3(tmp_path / "s3") as bucket:
        places = {"catalog_url": catalog, "segments_url": bucket}
        with tracestore.open(tmp_path / "data", background=False, **places) as store:
            for start in range(0, 60, 20):
                store.insert("spans", [span(number) for number in range(start, start + 20)])
                store.flush()
            publish(store)
            assert len(arrow_of(store)) == 60
            store.compact(full=True)
            store.delete(where="name = 'op-1'")
            publish(store, keep_s=0)
            assert (
                len(arrow_of(store)) == store.sql("SELECT count(*) AS n FROM spans").rows()[0]["n"]
            )
            assert table_of(store).location().startswith("s3://bucket/store-iceberg/")
            assert list(store.check(deep=True).faults) == []


def test_nodes_publish_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that the second one lists stay, though the first one reads its lists before and forgets after."""
    with servers.postgres() as catalog, servers.s3(tmp_path / "s3") as bucket:
        cluster = Cluster(tmp_path, catalog, bucket)
        with cluster.node("a") as a, cluster.node("b") as b, ThreadPoolExecutor(1) as thread:
            read, take, hold = expiry.data_files, Publications.take, leases.holding
            second: list[Future[PublishReport]] = []
            is_watched, has_begun = threading.Event(), threading.Event()

            def data_files(tables: Iterable[Table]) -> set[str]:
                found = read(tables)
                if not is_watched.is_set():
                    b.insert("spans", [span(number) for number in range(20, 50)])
                    is_watched.set()
                    second.append(thread.submit(publish, b))
                    assert has_begun.wait(processes.HANG_S)
                return found

            def taken(publications: Publications) -> list[PublishedSegment]:
                found = take(publications)
                if is_watched.is_set():
                    has_begun.set()
                return found

            def holding(core: Core, name: str, **more: Any) -> Any:
                if is_watched.is_set() and name == "publish":
                    has_begun.set()
                return hold(core, name, **more)

            monkeypatch.setattr(Publications, "take", taken)
            monkeypatch.setattr(leases, "holding", holding)

            a.insert("spans", [span(number) for number in range(20)])
            monkeypatch.setattr(expiry, "data_files", data_files)
            publish(a)
            second[0].result(processes.HANG_S)
            listed = {task.file.file_path for task in table_of(b).scan().plan_files()}
            with b._core.catalog.transaction() as connection:
                kept = published_table.read_in(connection)
            assert listed <= {b._core.segments.files.location(file_key) for file_key in kept}
            assert len(arrow_of(a)) == 50


@pytest.mark.parametrize("text", ["5x", "m", "", "-1s"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="iceberg_every"):
        given(iceberg_every=text)


def test_times_have_units() -> None:
    assert given(iceberg_every="5m").iceberg_every == 300
    assert given(iceberg_keep="1.5h").iceberg_keep == 5400
    assert given(iceberg_every=7).iceberg_every == 7


def test_projects_have_namespaces_of_their_own() -> None:
    names = ["a", "A", "a.b", "a_b", "a b", "ä", "ö", "", "a" * 300, "a" * 301, "\ud800"]
    assert len({namespace_of(name) for name in names}) == len(names)
    assert namespace_of("my-shop_1") == "my-shop_1"
    assert all(len(namespace_of(name)) <= 100 for name in names)


def test_without_the_package_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "tracestore.iceberg.publishing", None)
    with (
        tracestore.open(tmp_path, background=False) as store,
        pytest.raises(TraceStoreError, match=r"pip install 'tracestore\[iceberg\]'"),
    ):
        Publisher(store).publish()
