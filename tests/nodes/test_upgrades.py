"""Catalogs of other versions: nodes of the last version go on, or are named and nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

import tracestore
from data.catalogs import make_older
from nodes.cluster import Cluster, counts, expected, rows
from tracestore.errors import CatalogError, FormatVersionError, StoreLockedError
from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.schema import migrations, versions

BEFORE_NODES = 7


def test_nodes_take_over_a_catalog_that_knew_none(cluster: Cluster, tmp_path: Path) -> None:
    places = {"catalog_url": cluster.catalog, "segments_url": cluster.segments}
    with tracestore.open(tmp_path / "alone", background=False, **places) as store:
        store.insert("spans", rows(0, 20))
        store.flush()
        with store._core.catalog.writing() as connection:
            make_older(connection, BEFORE_NODES)
    with cluster.node("a") as a, cluster.node("b") as b:
        b.insert("spans", rows(20, 20))
        assert counts(a) == counts(b) == expected(range(40))
        assert a._core.catalog.meta("schema_version") == str(versions.VERSION)


def test_a_writer_of_its_own_and_nodes_keep_each_other_off(
    cluster: Cluster, tmp_path: Path
) -> None:
    """A writer of a version that knew no nodes takes the same lock, for itself alone."""
    places = {"catalog_url": cluster.catalog, "segments_url": cluster.segments}
    with cluster.node("a"), pytest.raises(StoreLockedError, match="another writer holds it"):
        tracestore.open(tmp_path / "alone", **places)
    with (
        tracestore.open(tmp_path / "alone", **places),
        pytest.raises(StoreLockedError, match="another writer holds it"),
        cluster.node("a"),
    ):
        raise AssertionError("a node must not start")


def test_a_folder_runs_as_one_node_at_a_time(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.node("a") as a:
        # As of a copy of the folder on another host.
        (tmp_path / "copy").mkdir()
        (tmp_path / "copy" / "NODE").write_bytes((a.folder / "NODE").read_bytes())
        with (
            pytest.raises(StoreLockedError, match="another process runs it at test://a"),
            cluster.node("copy"),
        ):
            raise AssertionError("the copy must not start")


def _next_version(monkeypatch: pytest.MonkeyPatch, compatible: int, *, is_run: bool = True) -> None:
    """Makes this code that of the next version, whose step adds a table."""
    steps = {**migrations.MIGRATIONS, versions.VERSION: _widen} if is_run else migrations.MIGRATIONS
    monkeypatch.setattr(migrations, "MIGRATIONS", steps)
    monkeypatch.setattr(versions, "VERSION", versions.VERSION + 1)
    monkeypatch.setattr(versions, "COMPATIBLE", compatible)


def _widen(connection: sa.Connection) -> None:
    connection.execute(sa.text("CREATE TABLE tracestore_widened (n INTEGER)"))


def test_a_catalog_is_widened_while_nodes_of_the_last_version_go_on(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster.node("old") as old:
        old.insert("spans", rows(0, 10))
        with monkeypatch.context() as patch:
            _next_version(patch, versions.COMPATIBLE)
            with cluster.node("new") as new:
                new.insert("spans", rows(10, 10))
                patch.undo()
                old.flush()
                assert counts(old) == counts(new) == expected(range(20))
        # One of the last version starts again beside the newer one's catalog.
        with cluster.node("old too") as other:
            assert counts(other) == expected(range(20))


def test_what_nodes_need_is_not_taken_away_while_they_are_up(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster.node("old") as old:
        assert old.nodes.node_id is not None
        with monkeypatch.context() as patch:
            _next_version(patch, versions.VERSION + 1)
            with (
                pytest.raises(CatalogError, match=f"are up: {old.nodes.node_id}; update"),
                cluster.node("new"),
            ):
                raise AssertionError("the newer node must not start")
        old.insert("spans", rows(0, 10))
        assert counts(old) == expected(range(10))
    with monkeypatch.context() as patch:
        _next_version(patch, versions.VERSION + 1)
        with cluster.node("new") as new:
            assert counts(new) == expected(range(10))
    with pytest.raises(FormatVersionError, match="open it with a newer tracestore"):
        Catalog(cluster.catalog, writable=True, defaults={}, shared=True)
