"""The catalog on SQLite and on PostgreSQL: the same rules, whole transactions, one writer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data.catalogs import make_older
from data.stores import span
from store import servers
from store.kit import FakeClock, expected_ids, open_store, segment_files, span_ids
from tracestore import limits
from tracestore.errors import CatalogError, FormatVersionError, StoreLockedError
from tracestore.store import Store
from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.changes import Change
from tracestore.store.catalog.schema import tables, versions
from tracestore.store.catalog.segment_row import NewSegment


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | Path]:
    if request.param == "sqlite":
        yield tmp_path / "catalog.sqlite"
        return
    base = request.getfixturevalue("postgres_url")
    name = f"t{abs(hash(request.node.nodeid)) % 10**9}"
    engine = sa.create_engine(
        base.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    yield base.replace("/postgres", f"/{name}")


def make(number: int, **more: Any) -> NewSegment:
    values: dict[str, Any] = {
        "segment_id": f"{number:026d}",
        "table": "spans",
        "project": "p",
        "day": 1,
        "file_key": f"spans/p/{number}.parquet",
        "rows": 100,
        "bytes": 1000,
        "crc": 2**32 - 1,
        "tail_bytes": 10,
        "tail_crc": 1,
        "words_bytes": 20,
        "words_crc": 2,
        "words_footer_crc": 3,
        "raw_bytes": 5000,
        "min_time_ns": -(2**63),
        "max_time_ns": 2**63 - 1,
        "created_ns": number,
        "cluster_columns": None,
        "leaf_rows": {"a.b:str": 60, "a.b:i64": 40},
        "tail_rows": {("c", "str"): 1},
    }
    return NewSegment(**{**values, **more})


def opened(url: str | Path) -> Catalog:
    return Catalog(url, writable=True, defaults={"store_id": "x"})


def test_what_is_committed_is_loaded(url: str | Path) -> None:
    catalog = opened(url)
    assert catalog.created
    applied = catalog.commit(Change(added=[make(1), make(2)], wal_mark=7, now_ns=5))
    catalog.close()
    catalog = opened(url)
    assert not catalog.created
    loaded = catalog.load()
    rows = loaded.rows()
    assert loaded.version == applied.version == 1
    assert loaded.path_bound == applied.path_bound
    assert catalog.meta("wal_mark") == "7"
    for row, was in zip(sorted(rows, key=lambda r: r.segment_id), applied.added, strict=True):
        for name in row.__slots__:
            assert str(getattr(row, name)) == str(getattr(was, name))
    paths = catalog.segment_paths([rows[0].segment_id])[rows[0].segment_id]
    assert (len(paths.tail_ids), paths.tail_rows.tolist()) == (1, [1])
    assert paths.leaf_rows.tolist() == applied.paths[rows[0].segment_id].leaf_rows.tolist()
    catalog.close()


def test_paths_grow_and_go_with_their_rows(url: str | Path) -> None:
    catalog = opened(url)
    first = catalog.commit(Change(added=[make(1)], now_ns=5)).added
    catalog.commit(Change(added=[make(2, leaf_rows={"a.b:str": 7, "d:f64": 3})], now_ns=9))
    rows = {(r.path, r.type): r for r in catalog.path_rows("spans", "p")}
    assert (
        rows["a.b", "str"].rows,
        rows["a.b", "str"].first_seen_ns,
        rows["a.b", "str"].last_seen_ns,
    ) == (67, 5, 9)
    assert rows["a.b", "i64"].last_seen_ns == 5
    catalog.commit(Change(removed=first, now_ns=11))
    left = {(r.path, r.type): r.rows for r in catalog.path_rows("spans", "p")}
    assert left == {("a.b", "str"): 7, ("d", "f64"): 3, ("c", "str"): 1}
    assert {place for place, _, _ in catalog.garbage()} == {
        "spans/p/1.parquet",
        "spans/p/1.tail",
        "spans/p/1.tail.parquet",
        "spans/p/1.words",
    }
    again = catalog.commit(Change(added=[make(3)], now_ns=12))
    newest = again.paths[again.added[0].segment_id].leaf_ids.tolist()[-1]
    assert catalog.paths.of(("spans", "p")).leaves[newest] == ("a.b", "i64")
    catalog.close()


def test_a_transaction_happens_whole_or_not_at_all(url: str | Path) -> None:
    catalog = opened(url)
    catalog.commit(Change(added=[make(1)], now_ns=1))
    before = catalog.load().version, catalog.path_rows("spans", "p"), catalog.garbage()
    with pytest.raises(CatalogError, match="cannot use catalog"):
        catalog.commit(
            Change(added=[make(2, leaf_rows={"new:str": 1}), make(1)], wal_mark=9, now_ns=2)
        )
    assert (catalog.load().version, catalog.path_rows("spans", "p"), catalog.garbage()) == before
    assert catalog.meta("wal_mark") == "1"
    applied = catalog.commit(Change(added=[make(2, leaf_rows={"new:str": 1})], now_ns=2))
    owned = catalog.paths.of(("spans", "p"))
    (paths,) = applied.paths.values()
    assert [owned.leaves[number] for number in paths.leaf_ids.tolist()] == [("new", "str")]
    catalog.close()


def test_paths_beyond_the_bound_are_counted_not_lost(
    url: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_CATALOG_PATHS", 5)
    catalog = opened(url)
    tail = {(f"k{n}", "str"): 1 for n in range(10)}
    applied = catalog.commit(Change(added=[make(1, tail_rows=tail)], now_ns=1))
    assert applied.added[0].unlisted_paths == 7
    (paths,) = applied.paths.values()
    assert len(paths.leaf_ids) == 2, "leaf columns are listed whatever their number"
    catalog.close()


def test_projects_deletes_and_retention(url: str | Path) -> None:
    catalog = opened(url)
    catalog.commit(Change(added=[make(1), make(2, project="q")], now_ns=1))
    catalog.set_retention("q", 30, 1)
    catalog.set_retention("new", 3, 1)
    assert catalog.projects() == {"p": None, "q": 30, "new": 3}
    catalog.add_delete("d2", "two", 2)
    catalog.add_delete("d1", "one", 1)
    assert [pending.predicate for pending in catalog.pending_deletes()] == ["one", "two"]
    catalog.commit(Change(finished_delete="d1", deleted_rows=4, now_ns=3))
    assert [pending.delete_id for pending in catalog.pending_deletes()] == ["d2"]
    catalog.close()


def test_a_newer_catalog_is_refused(url: str | Path) -> None:
    catalog = opened(url)
    with catalog._begin() as connection:
        connection.execute(sa.text(_NEWER.format(versions.VERSION)))
    catalog.close()
    # One that was only widened is used on.
    opened(url).close()
    catalog = opened(url)
    with catalog._begin() as connection:
        connection.execute(sa.text(_NEWER.format(99)))
    catalog.close()
    with pytest.raises(
        FormatVersionError, match=f"schema version; got 99; want at most {versions.VERSION}"
    ):
        opened(url)


def test_a_migration_keeps_out_whom_the_segments_kept_out(url: str | Path) -> None:
    catalog = opened(url)
    needed = versions.COMPATIBLE + 1
    with catalog._begin() as connection:
        make_older(connection, versions.COMPATIBLE)
        connection.execute(
            sa.text("UPDATE tracestore_meta SET value = :v WHERE key = 'compatible_version'"),
            {"v": str(needed)},
        )
    catalog.close()
    catalog = opened(url)
    assert catalog.meta("schema_version") == str(versions.VERSION)
    assert catalog.meta("compatible_version") == str(needed)
    catalog.close()


_NEWER = (
    "UPDATE tracestore_meta SET value = CASE key WHEN 'schema_version' THEN '99' ELSE '{}' END "
    "WHERE key IN ('schema_version', 'compatible_version')"
)


def test_a_store_works_on_it(url: str | Path, tmp_path: Path) -> None:
    where: dict[str, Any] = {} if isinstance(url, Path) else {"catalog_url": url}
    clock = FakeClock()
    with open_store(tmp_path / "s", clock=clock, **where) as store:
        for part in range(4):
            store.insert("spans", [span(part * 30 + n) for n in range(30)])
            store.flush()
        with Store.open(tmp_path / "s", mode="r", **where) as reader:
            assert span_ids(reader) == expected_ids(range(120))
            store.compact(full=True)
            store.delete(trace_id=span(3)["trace_id"])
            assert span_ids(reader) == expected_ids(range(4, 120))
    with open_store(tmp_path / "s", **where) as store:
        assert span_ids(store) == expected_ids(range(4, 120))
        assert len(segment_files(tmp_path / "s")) == 1


def test_two_writers_of_one_postgresql_catalog_on_two_machines(
    postgres_url: str, tmp_path: Path
) -> None:
    with (
        open_store(tmp_path / "a", catalog_url=postgres_url),
        pytest.raises(StoreLockedError, match="another writer holds it"),
    ):
        open_store(tmp_path / "b", catalog_url=postgres_url)
    open_store(tmp_path / "a", catalog_url=postgres_url).close()


def test_a_catalog_that_does_not_answer_is_a_typed_error_without_the_password(
    tmp_path: Path,
) -> None:
    port = servers.free_port()
    with pytest.raises(CatalogError, match="cannot use catalog") as caught:
        open_store(tmp_path, catalog_url=f"postgresql://user:sesame@127.0.0.1:{port}/x")
    assert "sesame" not in str(caught.value)
    with pytest.raises(CatalogError, match="cannot open catalog"):
        open_store(tmp_path, catalog_url="no url")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:a@sesame@127.0.0.1:1/x",
        "postgresql://user:a/sesame@127.0.0.1:1/x",
        "postgresql://user:a?sesame@127.0.0.1:1/x",
        "postgresql://user:sesame@127.0.0.1:port/x",
        "postgresql://127.0.0.1:1/x?user=u&password=sesame",
        "postgresql+nosuch://user:sesame@127.0.0.1:1/x",
        "postgresql:/user:sesame@127.0.0.1:1/x",
        "postgresql://user:sesame@127.0.0.1:1/x?bogus=1",
    ],
)
def test_a_catalog_that_cannot_be_opened_tells_no_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(CatalogError, match=r"cannot (open|use) catalog") as refused:
        open_store(tmp_path, catalog_url=url)
    assert "sesame" not in f"{refused.value}{refused.value.__cause__}"


def test_datasets_and_experiments_work_on_it(url: str | Path, tmp_path: Path) -> None:
    where: dict[str, Any] = {} if isinstance(url, Path) else {"catalog_url": url}
    with open_store(tmp_path, **where) as store:
        store.datasets.add("d", [{"id": "a", "input": 1}, {"id": "b", "input": 2}])
        store.datasets.delete("d", ["a"])
        store.datasets.snapshot("d", "s", version=1)
        store.experiments.create("e", metadata={"k": [1]}, dataset="d", dataset_version=2)
        store.experiments.create("e", base="f", git_commit="abc")
    with open_store(tmp_path, **where) as store:
        dataset = store.datasets.get("d")
        assert (dataset.version, dataset.rows, dataset.snapshots) == (2, 1, {"s": 1})
        (experiment,) = store.experiments.list(["default"])
        assert (experiment.metadata, experiment.base, experiment.dataset_version) == (
            {"k": [1]},
            "f",
            2,
        )
        store.datasets.drop("d")
        assert store.datasets.list() == []


def test_a_catalog_of_version_1_is_migrated(url: str | Path) -> None:
    catalog = opened(url)
    with catalog._begin() as connection:
        make_older(connection, 1)
    catalog.close()
    opened(url).close()
    catalog = opened(url)
    assert catalog.meta("schema_version") == str(versions.VERSION)
    with catalog._begin() as connection:
        assert connection.execute(sa.select(tables.DATASETS)).all() == []
    catalog.close()
