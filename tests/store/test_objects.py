"""Segments in an object store: a real S3 server over HTTP, and a cache that stays within its bound."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.processes import HANG_S
from data.stores import DAY_NS, START_NS, span
from nodes.faulty_network import Mode, Proxy
from store import servers
from store.kit import expected_ids, open_store, span_ids
from tracestore.errors import StoreFailedError
from tracestore.store.files.filesystem import FileSystem
from tracestore.store.files.object_files import ObjectFiles


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("s3")
    with servers.s3(folder) as url:
        yield url, folder / "bucket" / "store"


def fresh(bucket: tuple[str, Path], name: str) -> tuple[str, Path]:
    url, folder = bucket
    return url.replace("/store?", f"/{name}?"), folder.parent / name


def test_a_store_lives_in_a_bucket(bucket: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = fresh(bucket, "lives")
    with open_store(tmp_path, segments_url=url) as store:
        for part in range(4):
            rows = [span(part * 30 + n) for n in range(30)]
            rows[3]["metadata"] = {"rare": part}
            store.insert("spans", rows)
            store.flush()
        assert [len(list(folder.rglob(f"*.{kind}"))) for kind in ("parquet", "tail")] == [4, 4]
        assert not (tmp_path / "segments").exists()
        store.compact(full=True)
        store.delete(trace_id=span(3)["trace_id"])
        assert span_ids(store) == expected_ids(range(4, 120))
        assert store.check(deep=True).ok
        assert [len(list(folder.rglob(f"*.{kind}"))) for kind in ("parquet", "tail")] == [1, 1]
    with open_store(tmp_path, segments_url=url) as store:
        assert span_ids(store) == expected_ids(range(4, 120))
        (segment,) = store.snapshot().tables["spans"].segments
        assert Path(segment.uri).parent == tmp_path / "cache"
        assert segment.tail_uri is not None


def test_a_snapshot_may_end_wherever_its_thread_is(
    bucket: tuple[str, Path], tmp_path: Path
) -> None:
    url, _ = fresh(bucket, "anywhere")
    with open_store(tmp_path, segments_url=url) as store:
        store.insert("spans", [span(1)])
        store.flush()
        files = store._core.segments.files
        assert isinstance(files, ObjectFiles)
        snapshot = store.snapshot()
        ended = threading.Event()

        def end() -> None:
            # So does the collector of cycles.
            with files._lock:
                snapshot.close()
            ended.set()

        threading.Thread(target=end, daemon=True).start()
        assert ended.wait(HANG_S)


def test_the_cache_stays_within_its_bound_and_open_snapshots_keep_theirs(
    bucket: tuple[str, Path], tmp_path: Path
) -> None:
    url, _ = fresh(bucket, "cache")
    with open_store(tmp_path, segments_url=url, object_cache_bytes=30_000) as store:
        for day in range(6):
            store.insert(
                "spans",
                [span(day * 50 + n, start_ns=START_NS + day * DAY_NS + n) for n in range(50)],
            )
            store.flush()
        files = store._core.segments.files
        assert isinstance(files, ObjectFiles)
        size = next(iter(files._held.values()))
        assert files.cached_bytes <= 30_000 < 6 * size
        with store.snapshot() as snapshot:
            paths = [Path(segment.uri) for segment in snapshot.tables["spans"].segments]
            assert all(path.exists() for path in paths), "pinned copies may exceed the bound"
        assert files.cached_bytes <= 30_000
        assert span_ids(store) == expected_ids(range(300))


def test_orphans_in_the_bucket_are_removed_and_missing_objects_named(
    bucket: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = fresh(bucket, "orphans")
    with open_store(tmp_path, segments_url=url) as store:
        for day in range(2):
            store.insert(
                "spans",
                [span(day * 50 + n, start_ns=START_NS + day * DAY_NS + n) for n in range(5)],
            )
            store.flush()
    first, second = sorted(p for p in folder.rglob("*.parquet") if ".tail." not in p.name)
    (first.parent / "01ORPHAN.parquet").write_bytes(b"x")
    second.unlink()
    with open_store(tmp_path, segments_url=url) as store:
        assert not (first.parent / "01ORPHAN.parquet").exists()
        assert "is missing" in store.check().faults[0].what
        assert span_ids(store) == expected_ids(range(5))


def test_a_server_that_is_gone_fails_the_flush_and_keeps_the_rows(tmp_path: Path) -> None:
    with servers.s3(tmp_path / "s3") as url:
        store = open_store(tmp_path / "store", segments_url=url)
        store.insert("spans", [span(1)])
    url = url.replace("?", "?connect_timeout=1&request_timeout=1&", 1)
    with pytest.raises(StoreFailedError, match="cannot write s3://") as caught:
        store.flush()
    assert "secret" not in str(caught.value)
    assert span_ids(store) == expected_ids([1])
    store.close()


@pytest.mark.parametrize("mode", ["late", "late_read"])
def test_an_object_that_is_shown_late_is_read_all_the_same(
    bucket: tuple[str, Path], tmp_path: Path, mode: Mode
) -> None:
    url, folder = fresh(bucket, mode)
    port = int(re.findall(r"1:(\d+)&", url)[0])
    proxy = Proxy(port)
    try:
        with open_store(tmp_path / "one", segments_url=url) as store:
            store.insert("spans", [span(0)])
            store.flush()
        (written,) = folder.rglob("*.parquet")
        through = url.replace(f":{port}&", f":{proxy.port}&")
        files = ObjectFiles(through, tmp_path / "copies", FileSystem(), 10**6)
        proxy.mode = mode
        copy = files.local(written.relative_to(folder).as_posix())
        assert copy.read_bytes() == written.read_bytes()
        assert proxy.answers_not_found == 1
    finally:
        proxy.close()


def test_the_same_through_a_plain_file_url(tmp_path: Path) -> None:
    files = ObjectFiles((tmp_path / "remote").as_uri(), tmp_path / "cache", FileSystem(), 1000)
    written = files.prepare("spans/p/2026-01-01/x.parquet")
    written.write_bytes(b"data")
    files.publish("spans/p/2026-01-01/x.parquet", written)
    assert list(files.file_keys()) == ["spans/p/2026-01-01/x.parquet"]
    assert files.size("spans/p/2026-01-01/x.parquet") == 4
    files.remove("spans/p/2026-01-01/x.parquet")
    files.remove("spans/p/2026-01-01/x.parquet")
    assert list(files.file_keys()) == []
