"""Datasets: versioned rows. A write is one version: it is seen whole, or not at all.

1. reserve a version number in the catalog        crash after: the number is not used again
2. write the rows to the log and the memtable     crash after: rows of a version that nobody asks for
3. sync the log
4. commit the version in the catalog              crash after: the version is there
Only then does the caller answer. A write that changes nothing makes no version.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tracestore.content_types import NDJSON
from tracestore.errors import DatasetError, UnknownDatasetError
from tracestore.store.catalog.datasets import Dataset, DatasetCatalog, DatasetVersion
from tracestore.store.core import Core
from tracestore.store.datasets.dataset_heads import TABLE, HeadCache, Heads
from tracestore.store.datasets.dataset_rows import DatasetRow, checked_id, rows_of
from tracestore.store.nodes import leases
from tracestore.store.rewrite import deletes, predicate
from tracestore.store.wal.frames import Frame
from tracestore.store.write import ingest, payloads
from tracestore.store.write.allowed_projects import DEFAULT_PROJECT

_WRITERS: Final = 64
"""Locks of writers; datasets share them by their names' hash, so that few wait for another dataset's write."""

_PAYLOAD_BYTES: Final = 4 * 1024 * 1024
"""Bytes of one frame: as for other rows, large enough to be cheap, small enough to be bounded."""


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """The result of a write to a dataset.

    Attributes:
        version: the newest version, made by this write where it changed anything.
        rows: rows of the dataset now.
        added, updated, deleted, unchanged: rows by what became of them.
    """

    version: int
    rows: int
    added: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0


class Datasets:
    """The datasets of a store. Thread-safe: one write to a dataset at a time."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._catalog = DatasetCatalog(core.catalog)
        self._writers = tuple(threading.Lock() for _ in range(_WRITERS))
        self._heads = HeadCache()
        self._knowing = threading.RLock()
        self._known: dict[tuple[str, str], Dataset] | None = None

    # --- reading ---

    def list(self, projects: Collection[str] | None = None) -> list[Dataset]:
        """Returns the datasets of projects (None for all) in order of project and name."""
        self._core.require_open()
        if not self._core.writable:
            return self._catalog.list(projects, flushed_only=not self._core.follows)
        datasets = self._read_once().values()
        return [dataset for dataset in datasets if projects is None or dataset.project in projects]

    def get(self, name: str, project: str | None = None) -> Dataset:
        """Returns one dataset; raises UnknownDatasetError naming those there are."""
        project = project or DEFAULT_PROJECT
        if self._core.writable:
            self._core.require_open()
            known = self._read_once().get((project, name))
            if known is not None:
                return known
        datasets = self.list([project])
        for dataset in datasets:
            if dataset.name == name:
                return dataset
        names = ", ".join(dataset.name for dataset in datasets) or "none"
        raise UnknownDatasetError(
            f"cannot find dataset {name!r} in project {project!r}: there is {names}"
        )

    # --- writing ---

    def add(
        self, name: str, rows: Iterable[Mapping[str, Any]], *, project: str | None = None
    ) -> DatasetReport:
        """Adds rows; makes the dataset where there is none.

        Args:
            name: the dataset.
            rows: dicts of `input` and, where there is one, `id`, `expected`, `metadata`, `tags`, `origin`.
            project: its project.

        A row whose id is known replaces that row; one that says the same changes nothing. A row without
        an id is named after the span in its origin, else after its content. Raises DatasetError naming
        the row at fault; nothing has changed then.
        """
        return self.add_rows(name, rows_of(rows, project or "default"), project=project)

    def add_rows(
        self, name: str, rows: Iterable[DatasetRow], *, project: str | None = None
    ) -> DatasetReport:
        """Adds rows that are JSON text already."""
        return self.change(name, lambda _: rows, project=project, create=True)

    def change(
        self,
        name: str,
        make_rows: Callable[[Dataset], Iterable[DatasetRow]],
        *,
        project: str | None = None,
        create: bool = False,
    ) -> DatasetReport:
        """Writes the rows that a function makes of the newest version, as one version.

        Nobody else writes to the dataset between what the function reads and the commit. A new dataset is seen from
        its first version on.

        Args:
            name: the dataset.
            make_rows: gets the dataset as of its newest version.
            project: its project.
            create: whether the dataset is made where there is none.
        """
        project = project or DEFAULT_PROJECT
        payloads.check_name(name, "dataset")
        payloads.check_name(project, "project")
        with self._writer_of(name, project):
            dataset = self._or_new(name, project) if create else self.get(name, project)
            return self._write(dataset, lambda write: write.add(make_rows(dataset)))

    def delete(self, name: str, ids: Iterable[str], *, project: str | None = None) -> DatasetReport:
        """Deletes rows by id, from a new version on; raises UnknownDatasetError for an id that is not there."""
        row_ids = list(dict.fromkeys(checked_id(at, row_id) for at, row_id in enumerate(ids)))
        self._core.require_writable()
        with self._writer_of(name, project):
            return self._write(self.get(name, project), lambda write: write.delete(row_ids))

    def snapshot(
        self,
        name: str,
        snapshot: str,
        *,
        version: int | None = None,
        project: str | None = None,
    ) -> int:
        """Gives a version (default the newest) a name that stays with it, and returns the version."""
        self._core.require_catalog()
        payloads.check_name(snapshot, "dataset snapshot")
        with self._writer_of(name, project):
            dataset = self.get(name, project)
            number = dataset.at(version)
            self._catalog.name_version(dataset, snapshot, number, self._core.clock.now_ns())
            self.forget()
            return number

    def drop(self, name: str, *, project: str | None = None) -> int:
        """Removes a dataset with every version for good; returns the stored revisions that went.

        1. one transaction: the catalog forgets it and notes the delete    crash after: the next open goes on
        2. its rows are deleted
        """
        core = self._core
        core.require_writable()
        with core.maintenance, leases.holding_all(core):
            with self._writer_of(name, project):
                dataset = self.get(name, project)
                where = [("dataset_id", "=", dataset.dataset_id)]
                its_rows = predicate.make_predicate(None, dataset.project, where, [TABLE])
                now_ns = core.clock.now_ns()
                delete_id = core.ulids.make(now_ns)
                self._catalog.drop(dataset.dataset_id, delete_id, its_rows.encode(), now_ns)
                self.forget()
            return deletes.apply(core, delete_id, its_rows).rows

    def forget(self) -> None:
        """Drops what is known of the catalog, since somebody else has changed it."""
        with self._knowing:
            self._known = None

    def _read_once(self) -> dict[tuple[str, str], Dataset]:
        """Returns all datasets by project and name. One writer knows them; nodes read them each time."""
        # Held while it is read: who changes the catalog forgets after it, and so forgets what was read before.
        with self._knowing:
            if self._known is None or self._core.node is not None:
                self._known = {
                    (dataset.project, dataset.name): dataset for dataset in self._catalog.list(None)
                }
            return self._known

    @contextlib.contextmanager
    def _writer_of(self, name: str, project: str | None) -> Iterator[None]:
        """Makes the caller the one writer of a dataset, also among nodes."""
        owner = (project or DEFAULT_PROJECT, name)
        with self._writers[hash(owner) % _WRITERS], self._core.catalog.turn(f"dataset {owner}"):
            yield

    def _write(self, dataset: Dataset, act: Callable[[_Write], DatasetReport]) -> DatasetReport:
        """Writes to a dataset, and keeps what it holds then for the next write. The caller holds the lock."""
        heads = self._heads.take(self._core, dataset)
        is_new = (dataset.project, dataset.name) not in self._read_once()
        write = _Write(self._core, self._catalog, dataset, heads, is_new=is_new)
        report = act(write)
        if write.is_new:
            self.forget()
        self._committed(dataset, write.version)
        self._heads.put(dataset.dataset_id, report.version, write.heads)
        return report

    def _committed(self, dataset: Dataset, version: DatasetVersion | None) -> None:
        if version is not None:
            grown = dataclasses.replace(dataset, versions=(*dataset.versions, version))
            with self._knowing:
                self._known = {**self._read_once(), (dataset.project, dataset.name): grown}

    def _or_new(self, name: str, project: str) -> Dataset:
        """Returns a dataset, or one that the catalog does not know yet."""
        self._core.require_writable()
        try:
            return self.get(name, project)
        except UnknownDatasetError:
            now_ns = self._core.clock.now_ns()
            return Dataset(self._core.ulids.make(now_ns), project, name, now_ns, (), {})


class _Write:
    """One write to one dataset. It reserves a version when the first row changes, and commits it at the end.

    The caller holds the lock of writes.

    Attributes:
        heads: of the dataset, as the write changes them.
        is_new: whether the catalog learns of the dataset with this write.
        version: what was committed, None where nothing changed.
    """

    def __init__(
        self,
        core: Core,
        catalog: DatasetCatalog,
        dataset: Dataset,
        heads: Heads,
        *,
        is_new: bool,
    ) -> None:
        self._core = core
        self._catalog = catalog
        self._dataset = dataset
        self.heads = heads
        self.is_new = is_new
        self.version: DatasetVersion | None = None
        self._version = 0
        newest = dataset.versions[-1].created_ns if dataset.versions else dataset.created_ns
        # Times of revisions never repeat in a dataset, whatever the clock does: the latest one counts.
        self._next_ns = max(core.clock.now_ns(), newest + 1)

    def add(self, rows: Iterable[DatasetRow]) -> DatasetReport:
        added = updated = unchanged = 0

        def changes() -> Iterator[bytes]:
            nonlocal added, updated, unchanged
            for row in rows:
                before = self.heads.get(row.row_id)
                if before == row.digest:
                    unchanged += 1
                    continue
                added += before is None
                updated += before is not None
                self.heads[row.row_id] = row.digest
                yield row.line(self._dataset.dataset_id, self._reserved(), self._time())

        self._write(changes())
        return self._commit(added=added, updated=updated, unchanged=unchanged)

    def delete(self, row_ids: Sequence[str]) -> DatasetReport:
        missing = [row_id for row_id in row_ids if row_id not in self.heads]
        if missing:
            raise UnknownDatasetError(
                f"cannot delete row {missing[0]!r}: dataset {self._dataset.name!r} has no such row"
            )
        deleted = 0

        def deletions() -> Iterator[bytes]:
            nonlocal deleted
            for row_id in row_ids:
                del self.heads[row_id]
                deleted += 1
                line = DatasetRow(row_id, {}, 0).line(
                    self._dataset.dataset_id, self._reserved(), self._time()
                )
                yield line[:-1] + b',"deleted":1}'

        self._write(deletions())
        return self._commit(deleted=deleted)

    def _reserved(self) -> int:
        if not self._version:
            reserve = self._catalog.reserve
            self._version = 1 if self.is_new else reserve(self._dataset.dataset_id)
        return self._version

    def _time(self) -> int:
        self._next_ns += 1
        return self._next_ns

    def _write(self, lines: Iterator[bytes]) -> None:
        payload: list[bytes] = []
        size = 0
        for line in lines:
            if payload and size + len(line) > _PAYLOAD_BYTES:
                self._send(payload)
                payload, size = [], 0
            payload.append(line)
            size += len(line) + 1
        if payload:
            self._send(payload)

    def _send(self, lines: list[bytes]) -> None:
        frame = Frame(
            kind="rows",
            table=TABLE,
            content_type=NDJSON,
            content_encoding="identity",
            project=self._dataset.project,
            experiment=None,
            received_ns=self._core.clock.now_ns(),
            payload=b"\n".join(lines),
        )
        parts = payloads.project_parts(frame, self._core.settings.max_payload_bytes)
        report = ingest.write(self._core, frame, parts)
        if report.rejected:
            _, _, reason = report.rejected[0]
            raise DatasetError(
                f"cannot write to dataset {self._dataset.name!r}: a row was refused: {reason}"
            )

    def _commit(
        self, *, added: int = 0, updated: int = 0, deleted: int = 0, unchanged: int = 0
    ) -> DatasetReport:
        dataset = self._dataset
        if not self._version:
            if self.is_new:
                self._catalog.create(dataset, None)
            return DatasetReport(dataset.version, dataset.rows, unchanged=unchanged)
        wal = self._core.require_writable()
        # Also where durability is "async": the catalog must not name rows that a power cut can take.
        wal.sync(wal.appended)
        rows = dataset.rows + added - deleted
        version = DatasetVersion(
            self._version, self._next_ns, rows, added, updated, deleted, wal.sequence
        )
        if self.is_new:
            self._catalog.create(dataset, version)
        else:
            self._catalog.commit(dataset.dataset_id, version)
        self.version = version
        return DatasetReport(self._version, rows, added, updated, deleted, unchanged)
