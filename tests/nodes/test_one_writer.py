"""One writer on a PostgreSQL catalog, without nodes: its database restarts, and its connections end at any moment."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import tracestore
from nodes.cluster import Cluster, counts, expected, rows
from nodes.faulty_network import Proxy
from tracestore.embedded import Store
from tracestore.errors import CatalogError, StoreFailedError, StoreLockedError


@pytest.fixture
def way(cluster: Cluster) -> Iterator[Proxy]:
    """Gives the way of a writer to its database."""
    (port,) = re.findall(r"@127\.0\.0\.1:(\d+)", cluster.catalog)
    proxy = Proxy(int(port))
    try:
        yield proxy
    finally:
        proxy.close()


def opened(cluster: Cluster, folder: Path, way: Proxy | None = None) -> Store:
    url = cluster.catalog
    if way is not None:
        url = re.sub(r":\d+/", f":{way.port}/", url)
    return tracestore.open(folder, catalog_url=url, background=False)


def end_connections(cluster: Cluster) -> None:
    """Ends every other connection to the database, as its restart does."""
    engine = sa.create_engine(
        cluster.catalog.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    query = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(query))
    engine.dispose()


def test_the_lock_is_taken_again_after_a_restart_of_the_database(
    cluster: Cluster, tmp_path: Path
) -> None:
    with opened(cluster, tmp_path / "one") as store:
        store.insert("spans", rows(0, 10))
        end_connections(cluster)
        store.insert("spans", rows(10, 10))
        store.flush()
        assert counts(store) == expected(range(20))
        with pytest.raises(StoreLockedError, match="another writer holds it"):
            opened(cluster, tmp_path / "other")
        store.insert("spans", rows(20, 10))
        store.flush()
    with opened(cluster, tmp_path / "one") as store:
        assert counts(store) == expected(range(30))


def test_a_writer_that_lost_its_lock_to_another_stops_writing(
    cluster: Cluster, tmp_path: Path
) -> None:
    store = opened(cluster, tmp_path / "one")
    try:
        store.insert("spans", rows(0, 10))
        end_connections(cluster)
        with opened(cluster, tmp_path / "other") as other:
            other.flush()
        # The other one is gone again, and its lock with it: what it did is unknown to the first.
        with pytest.raises(StoreLockedError, match="another writer has opened it since"):
            store.flush()
        with pytest.raises(StoreFailedError, match="another writer has opened it since"):
            store.insert("spans", rows(10, 10))
        with pytest.raises(StoreLockedError):
            store.patch({"trace_id": "1" * 32, "span_id": "1" * 16, "scores": {"good": 1}})
    finally:
        store.close()


def test_nodes_take_their_lock_again_after_a_restart_of_the_database(
    cluster: Cluster, tmp_path: Path
) -> None:
    with cluster.node("a") as a:
        end_connections(cluster)
        a.insert("spans", rows(0, 10))
        with contextlib.suppress(CatalogError):
            a.flush()  # finds that its connection is gone
        a.flush()
        with pytest.raises(StoreLockedError, match="another writer holds it"):
            tracestore.open(
                tmp_path / "one", catalog_url=cluster.catalog, segments_url=cluster.segments
            )


WORKS: dict[str, Callable[[Store], object]] = {
    "flush": lambda store: store.flush(),
    "merge": lambda store: store.compact(full=True),
    "delete": lambda store: store.delete(where="attributes.both < 5"),
}


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("is_back", [True, False])
def test_a_commit_whose_answer_is_lost_is_made_once(
    cluster: Cluster, tmp_path: Path, way: Proxy, work: str, *, is_back: bool
) -> None:
    """The connection ends when the database has been told to commit, and it may not answer for some time."""
    with opened(cluster, tmp_path / "one", way) as store:
        for first in range(0, 30, 10):
            store.insert("spans", rows(first, 10))
            if work != "flush":
                store.flush()
        way.lose_answer("INSERT INTO tracestore_segments", "COMMIT", stays_away=not is_back)
        if is_back:
            WORKS[work](store)
        else:
            with pytest.raises(CatalogError):
                WORKS[work](store)
            # Other versions of rows that are being flushed; of rows in segments they wait for the database.
            first = 20 if work == "flush" else 30
            store.insert("spans", rows(first, 35 - first, duration_ns=7))
            way.mode = "through"
        assert way.lost == 1
        last = 30 if is_back else 35
        store.flush()
        kept = range(5 if work == "delete" and is_back else 0, last)
        if work != "delete":
            assert counts(store) == expected(kept)
        WORKS[work](store)
        kept = range(5 if work == "delete" else 0, last)
        assert counts(store) == expected(kept)
        assert store.check(deep=True).ok
    with opened(cluster, tmp_path / "one") as store:
        assert counts(store) == expected(kept)
        assert store.check(deep=True).ok
