"""The transactional list of segments, paths, projects, deletes and garbage.

SQLAlchemy Core on SQLite (WAL mode) or PostgreSQL. One writer; readers see whole transactions.
Knows no files but its own. Specification: docs/format/catalog.md.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tracestore import limits
from tracestore.errors import CatalogError
from tracestore.store.catalog import (
    database,
    documents,
    packing,
    patch_table,
    replaced_table,
    schema,
)
from tracestore.store.catalog.path_ids import Owner, PathRow, PathTable, leaf_of
from tracestore.store.catalog.path_ledger import PathLedger
from tracestore.store.catalog.replaced_table import RowNumbers
from tracestore.store.catalog.schema import (
    DATASET_SNAPSHOTS,
    DATASET_VERSIONS,
    DATASETS,
    DELETES,
    EXPERIMENTS,
    GARBAGE,
    META,
    PATHS,
    PROJECTS,
    SEGMENTS,
)
from tracestore.store.catalog.segment_row import Ids, NewSegment, SegmentRow
from tracestore.store.files import filenames
from tracestore.variant import is_item_path


@dataclass(frozen=True, slots=True)
class Change:
    """The change of the list of segments that one transaction makes, whole or not at all.

    Attributes:
        merged: patches, by time, that the added segments hold.
        dropped: patches that have no span any more.
        replaced: all rows of segments, the added ones among them, that do not count; of these segments alone.
    """

    added: Sequence[NewSegment] = ()
    removed: Sequence[SegmentRow] = ()
    wal_mark: int | None = None
    finished_delete: str | None = None
    deleted_rows: int = 0
    now_ns: int = 0
    merged: Collection[int] = ()
    dropped: Collection[int] = ()
    replaced: Mapping[str, RowNumbers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of a transaction: the catalog's version and the rows that were added."""

    version: int
    added: list[SegmentRow]


@dataclass(frozen=True, slots=True)
class PendingDelete:
    """A delete that was accepted and is not applied to every segment yet."""

    delete_id: str
    predicate: str


class Catalog:
    """An open catalog. Thread-safe; writes are serialized."""

    def __init__(self, url: str | Path, *, writable: bool, defaults: Mapping[str, str]) -> None:
        self.name = database.shown_url(url)
        self._lock = threading.RLock()
        self._engine = database.make_engine(url, writable=writable)
        self.paths = PathTable(self._path_ids)
        self._resources = contextlib.ExitStack()
        try:
            if writable:
                writer_lock = database.hold_writer_lock(self._engine, self.name)
                with self._named_errors():
                    self._resources.enter_context(writer_lock)
            with self._begin() as connection:
                if writable:
                    self.created = schema.prepare(connection, self.name, _defaults(defaults))
                else:
                    self.created = False
                    schema.read_version(connection, self.name)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes all connections."""
        self._resources.close()
        self._engine.dispose()

    def meta(self, key: str) -> str:
        """Returns a value of the meta table."""
        with self._begin() as connection:
            return _meta(connection, key)

    def version(self) -> int:
        """Returns the number of the newest transaction."""
        return int(self.meta("catalog_version"))

    def load(self) -> tuple[int, list[SegmentRow], dict[str, RowNumbers]]:
        """Returns (version, every segment, rows that do not count by segment id), in one consistent read.

        Quarantined segments are among them.
        """
        with self._begin() as connection:
            version = int(_meta(connection, "catalog_version"))
            columns = [
                column
                for column in schema.segment_columns(schema.read_version(connection, self.name))
                if column.name not in ("tail_ids", "tail_rows")
            ]
            rows = connection.execute(sa.select(*columns)).mappings().all()
            replaced = replaced_table.read_in(connection)
        return version, [_segment_row(dict(row)) for row in rows], replaced

    def tails(self, segment_ids: Sequence[str]) -> dict[str, tuple[Ids, Ids]]:
        """Returns (path ids, rows) of the tails of segments."""
        with self._begin() as connection:
            return _tails(connection, segment_ids)

    def commit(self, change: Change) -> Applied:
        """Applies a change in one transaction and returns the rows it added."""
        try:
            with self._lock, self._begin() as connection:
                version = int(_meta(connection, "catalog_version")) + 1
                ledger = PathLedger(self.paths, int(_meta(connection, "next_path_id")))
                values = [self._insert_values(new, version, ledger) for new in change.added]
                if values:
                    connection.execute(SEGMENTS.insert(), values)
                self._remove(connection, change.removed, version, ledger)
                ledger.write(connection, change.now_ns)
                _note_projects(connection, change)
                patch_table.move_in(connection, change.merged, change.now_ns)
                patch_table.delete_in(connection, change.dropped)
                replaced_table.write_in(connection, change.replaced)
                if change.wal_mark is not None:
                    _set_meta(connection, "wal_mark", str(change.wal_mark))
                if change.finished_delete is not None:
                    done = {"done_ns": change.now_ns, "rows": change.deleted_rows}
                    where = DELETES.c.delete_id == change.finished_delete
                    connection.execute(DELETES.update().where(where).values(**done))
                _set_meta(connection, "next_path_id", str(ledger.next_id))
                _set_meta(connection, "catalog_version", str(version))
        except BaseException:
            self.paths.forget()
            raise
        return Applied(version, [_segment_row(value) for value in values])

    def quarantine(self, segment_id: str, fault: str) -> int:
        """Marks a segment as not to be read, and returns the catalog's new version."""
        with self._lock, self._begin() as connection:
            version = int(_meta(connection, "catalog_version")) + 1
            where = SEGMENTS.c.segment_id == segment_id
            connection.execute(SEGMENTS.update().where(where).values(fault=fault, version=version))
            _set_meta(connection, "catalog_version", str(version))
            return version

    # --- garbage: files of removed segments, kept until their last reader is gone ---

    def garbage(self) -> list[tuple[str, str, int]]:
        """Returns (file key, segment id, version that removed it) of files to be removed."""
        with self._begin() as connection:
            query = sa.select(GARBAGE.c.place, GARBAGE.c.segment_id, GARBAGE.c.version)
            return [(row.place, row.segment_id, row.version) for row in connection.execute(query)]

    def forget_garbage(self, file_keys: Iterable[str]) -> None:
        """Drops entries whose files are gone."""
        with self._lock, self._begin() as connection:
            for file_key in file_keys:
                connection.execute(GARBAGE.delete().where(GARBAGE.c.place == file_key))

    # --- deletes and projects ---

    def add_delete(self, delete_id: str, predicate: str, now_ns: int) -> None:
        """Notes a delete before it is applied, so that a crash does not forget it."""
        values = {"delete_id": delete_id, "predicate": predicate, "created_ns": now_ns, "rows": 0}
        with self._lock, self._begin() as connection:
            connection.execute(DELETES.insert().values(**values))

    def pending_deletes(self) -> list[PendingDelete]:
        """Returns deletes that are not finished, oldest first."""
        query = sa.select(DELETES.c.delete_id, DELETES.c.predicate).where(
            DELETES.c.done_ns.is_(None)
        )
        with self._begin() as connection:
            rows = connection.execute(query.order_by(DELETES.c.delete_id)).all()
        return [PendingDelete(row.delete_id, row.predicate) for row in rows]

    def set_retention(self, project: str, days: int | None, now_ns: int) -> None:
        """Sets after how many days a project's rows expire; None keeps them."""
        with self._lock, self._begin() as connection:
            where = PROJECTS.c.name == project
            done = connection.execute(PROJECTS.update().where(where).values(retention_days=days))
            if done.rowcount == 0:
                values = {"name": project, "created_ns": now_ns, "retention_days": days}
                connection.execute(PROJECTS.insert().values(**values))

    def forget_project(self, project: str) -> None:
        """Drops a project with its retention, datasets and experiments, after its last segment."""
        with self._lock, self._begin() as connection:
            owned = sa.select(DATASETS.c.dataset_id).where(DATASETS.c.project == project)
            for table in (DATASET_SNAPSHOTS, DATASET_VERSIONS):
                connection.execute(table.delete().where(table.c.dataset_id.in_(owned)))
            connection.execute(DATASETS.delete().where(DATASETS.c.project == project))
            connection.execute(EXPERIMENTS.delete().where(EXPERIMENTS.c.project == project))
            patch_table.forget_project_in(connection, project)
            documents.forget_project(connection, project)
            connection.execute(PROJECTS.delete().where(PROJECTS.c.name == project))

    def projects(self) -> dict[str, int | None]:
        """Returns every project and its retention in days, None for ever."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(PROJECTS.c.name, PROJECTS.c.retention_days))
            return {row.name: row.retention_days for row in rows}

    def path_rows(self, table: str, project: str) -> list[PathRow]:
        """Returns the paths of a table and project with what is known of each, in order of path; no item columns."""
        columns = [PATHS.c[column.name] for column in fields(PathRow)]
        with self._begin() as connection:
            path_rows = connection.execute(_paths_of((table, project), *columns)).all()
        paths = (PathRow(*row) for row in path_rows if not is_item_path(row.path))
        return sorted(paths, key=lambda row: (row.path, row.type))

    # --- for the parts of the catalog that have modules of their own ---

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Gives a connection for one consistent read."""
        with self._begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Gives a connection for one change, which happens whole or not at all."""
        with self._lock, self._begin() as connection:
            yield connection

    @staticmethod
    def meta_in(connection: sa.Connection, key: str) -> str:
        """Returns a value of the meta table as a transaction sees it."""
        return _meta(connection, key)

    # --- inside a transaction ---

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with self._named_errors(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise CatalogError(f"cannot use catalog {self.name}: {cause}") from error

    def _path_ids(self, owner: Owner) -> Iterable[tuple[int, str, str]]:
        columns = (PATHS.c.path_id, PATHS.c.path, PATHS.c.type)
        with self._begin() as connection:
            cursor = connection.execute(_paths_of(owner, *columns)).cursor
            if cursor is None:
                raise AssertionError("BUG: a SELECT gives rows")
            # The driver's own tuples: a Row of SQLAlchemy each would cost more than all else of a cold start.
            return cursor.fetchall()

    def _insert_values(self, new: NewSegment, version: int, ledger: PathLedger) -> dict[str, Any]:
        owner = (new.table, new.project)
        leaves = {leaf_of(column): rows for column, rows in new.leaf_rows.items()}
        leaf_ids = ledger.add(owner, leaves, bound=None)
        tail_ids = ledger.add(owner, new.tail_rows, bound=limits.MAX_CATALOG_PATHS)
        return {
            **new.catalog_values(),
            "version": version,
            "leaf_ids": packing.pack(leaf_ids),
            "leaf_rows": packing.pack(leaf_ids.values()),
            "tail_ids": packing.pack_compressed(tail_ids),
            "tail_rows": packing.pack_compressed(tail_ids.values()),
            "unlisted_paths": len(new.tail_rows) - len(tail_ids),
            "fault": None,
        }

    def _remove(
        self,
        connection: sa.Connection,
        removed: Sequence[SegmentRow],
        version: int,
        ledger: PathLedger,
    ) -> None:
        tails = _tails(
            connection, [row.segment_id for row in removed if row.tail_bytes is not None]
        )
        replaced_table.remove_in(connection, [row.segment_id for row in removed])
        for row in removed:
            owner = (row.table, row.project)
            ledger.remove(owner, row.leaf_ids.tolist(), row.leaf_rows.tolist())
            if row.segment_id in tails:
                ids, rows = tails[row.segment_id]
                ledger.remove(owner, ids.tolist(), rows.tolist())
            where = SEGMENTS.c.segment_id == row.segment_id
            if connection.execute(SEGMENTS.delete().where(where)).rowcount != 1:
                raise AssertionError(f"BUG: segment {row.segment_id} was removed twice")
            file_keys = [row.file_key, *(key for key, _ in row.sidecars())]
            if row.tail_bytes is not None:
                file_keys.append(filenames.former_tail_key(row.file_key))
            values = [
                {"place": file_key, "segment_id": row.segment_id, "version": version}
                for file_key in file_keys
            ]
            connection.execute(GARBAGE.insert(), values)


def _paths_of(owner: Owner, *columns: sa.Column[Any]) -> sa.Select[Any]:
    return sa.select(*columns).where(PATHS.c.table_name == owner[0], PATHS.c.project == owner[1])


def _tails(connection: sa.Connection, segment_ids: Sequence[str]) -> dict[str, tuple[Ids, Ids]]:
    result: dict[str, tuple[Ids, Ids]] = {}
    for start in range(0, len(segment_ids), database.MAX_IN_LIST):
        batch = segment_ids[start : start + database.MAX_IN_LIST]
        query = sa.select(SEGMENTS.c.segment_id, SEGMENTS.c.tail_ids, SEGMENTS.c.tail_rows)
        for row in connection.execute(query.where(SEGMENTS.c.segment_id.in_(batch))):
            ids = packing.unpack_compressed(row.tail_ids)
            result[row.segment_id] = (ids, packing.unpack_compressed(row.tail_rows))
    return result


def _note_projects(connection: sa.Connection, change: Change) -> None:
    projects = {new.project for new in change.added}
    if not projects:
        return
    noted = set(connection.execute(sa.select(PROJECTS.c.name)).scalars())
    values = [
        {"name": name, "created_ns": change.now_ns, "retention_days": None}
        for name in sorted(projects - noted)
    ]
    if values:
        connection.execute(PROJECTS.insert(), values)


def _defaults(values: Mapping[str, str]) -> dict[str, str]:
    return {"catalog_version": "0", "next_path_id": "1", "wal_mark": "1", **values}


def _meta(connection: sa.Connection, key: str) -> str:
    value: str = connection.execute(sa.select(META.c.value).where(META.c.key == key)).scalar_one()
    return value


def _set_meta(connection: sa.Connection, key: str, value: str) -> None:
    connection.execute(META.update().where(META.c.key == key).values(value=value))


def _segment_row(values: Mapping[str, Any]) -> SegmentRow:
    ids, rows = (packing.unpack(values[name]) for name in ("leaf_ids", "leaf_rows"))
    return SegmentRow.of_values(values, ids, rows)
