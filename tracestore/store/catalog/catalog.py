"""The transactional list of segments, paths, projects, deletes and garbage.

SQLAlchemy Core on SQLite (WAL mode) or PostgreSQL. One writer, or nodes that write one after the other; readers see
whole transactions.
Knows no files but its own. Specification: docs/format/catalog.md.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tracestore.errors import CatalogError
from tracestore.store.catalog import (
    database,
    delete_table,
    documents,
    patch_table,
    replaced_table,
    segment_table,
)
from tracestore.store.catalog.changes import (
    Applied,
    BehindError,
    Change,
    LeaseLostError,
    NodeName,
    PendingDelete,
)
from tracestore.store.catalog.nodes import change_log, missed_deletes, node_table, writer_lock
from tracestore.store.catalog.path_ids import Owner, PathRow, PathTable
from tracestore.store.catalog.path_ledger import PathLedger
from tracestore.store.catalog.schema import migrations, versions
from tracestore.store.catalog.schema.tables import (
    DATASET_SNAPSHOTS,
    DATASET_VERSIONS,
    DATASETS,
    EXPERIMENTS,
    GARBAGE,
    META,
    PATHS,
    PROJECTS,
    SEGMENTS,
)
from tracestore.store.catalog.segment_row import SegmentPaths
from tracestore.store.catalog.segment_table import Loaded
from tracestore.variant import is_item_path


class Catalog:
    """An open catalog. Thread-safe; writes are serialized.

    Args:
        url: its database.
        writable: whether it is made and migrated, and kept from other writers.
        defaults: values of the meta table of a new one.
        shared: whether other nodes write to it too.

    Attributes:
        node: whose log it keeps the mark of; None where there is one writer.
        unanswered: what the last commit would give, where its answer was lost; None where it is known.
    """

    def __init__(
        self,
        url: str | Path,
        *,
        writable: bool,
        defaults: Mapping[str, str],
        shared: bool = False,
    ) -> None:
        self.name = database.shown_url(url)
        self.node: NodeName | None = None
        self.shared = shared
        self.created = False
        self.unanswered: Applied | None = None
        self._lock = threading.RLock()
        self._engine = database.make_engine(url, writable=writable, shared=shared)
        self.paths = PathTable(self._path_ids)
        self._writer = writer_lock.WriterLock(self._engine, self.name, shared=shared)
        try:
            with self._named_errors():
                if writable:
                    values = _defaults(defaults)
                    self._writer.take()
                    with database.preparing(self._engine) as connection:
                        self.created = migrations.prepare(connection, self.name, values)
                        self._writer.claim_in(connection)
                else:
                    with self._begin() as connection:
                        versions.read_version(connection, self.name)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes all connections."""
        self._writer.close()
        self._engine.dispose()

    def meta(self, key: str) -> str:
        """Returns a value of the meta table."""
        with self._begin() as connection:
            return _meta(connection, key)

    def version(self) -> int:
        """Returns the number of the newest transaction. Takes one message to a database that is elsewhere."""
        if not self.shared:
            return int(self.meta("catalog_version"))
        with self._named_errors(), self._connected("AUTOCOMMIT") as connection:
            return int(_meta(connection, "catalog_version"))

    def settled_version(self) -> int:
        """Returns the number of the newest transaction, after one that may be under way still."""
        with self._named_errors(), self._connected("READ COMMITTED") as connection:
            return writer_lock.settled_version_in(connection)

    def load(self) -> Loaded:
        """Returns every segment, in one consistent read; the paths of each are left where they are."""
        with self._begin() as connection:
            version = int(_meta(connection, "catalog_version"))
            path_bound = int(_meta(connection, "next_path_id"))
            columns = versions.segment_columns(connection, self.name)
            return segment_table.load_in(connection, columns, version, path_bound)

    def newest_segment_id(self) -> str | None:
        """Returns the greatest id of a segment or of garbage, None where there is neither."""
        with self._begin() as connection:
            return segment_table.newest_id_in(connection)

    def since(self, version: int) -> change_log.Since | None:
        """Returns what other nodes changed since a version, None where nobody remembers all of it any more."""
        with self._begin() as connection:
            if int(_meta(connection, "changes_from")) > version:
                return None
            now = int(_meta(connection, "catalog_version"))
            path_bound = int(_meta(connection, "next_path_id"))
            return change_log.since_in(
                connection, self.name, self.paths, version, (now, path_bound)
            )

    def named(self, segment_ids: Sequence[str]) -> set[str]:
        """Returns which segments there are, after every change that is under way."""
        with self.writing() as connection:
            return {
                row.segment_id for row in segment_table.read_in(connection, self.name, segment_ids)
            }

    def segment_paths(self, segment_ids: Sequence[str]) -> dict[str, SegmentPaths]:
        """Returns the paths of segments that the catalog knows still."""
        with self._begin() as connection:
            return segment_table.paths_in(connection, segment_ids)

    def commit(self, change: Change) -> Applied:
        """Applies a change in one transaction and returns the rows it added.

        Raises BehindError or LeaseLostError where other nodes were faster; nothing has changed then. Where the database
        does not answer, nobody knows whether it has: `unanswered` is then what the change would give.
        """
        self.unanswered = None
        try:
            with self.writing() as connection:
                version = int(_meta(connection, "catalog_version")) + 1
                self._check(connection, change, version - 1)
                ledger = PathLedger(self.paths, int(_meta(connection, "next_path_id")))
                added, paths = segment_table.insert_in(connection, change.added, version, ledger)
                segment_table.remove_in(connection, change.removed, version, ledger)
                ledger.write(connection, change.now_ns, version)
                segment_table.note_projects_in(connection, change.added, change.now_ns)
                patch_table.move_in(connection, change.merged, change.now_ns)
                patch_table.delete_in(connection, change.dropped)
                replaced_table.write_in(connection, change.replaced)
                if change.wal_mark is not None:
                    self._move_mark(connection, change.wal_mark)
                delete_table.finish_in(connection, change)
                if self.node is not None:
                    missed_deletes.follow_in(connection, self.node.node_id, change)
                _set_meta(connection, "next_path_id", str(ledger.next_id))
                _set_meta(connection, "catalog_version", str(version))
                if self.shared:
                    change_log.write_in(connection, version, change_log.entries_of(change, ledger))
                self.unanswered = applied = Applied(version, ledger.next_id, added, paths)
        except BaseException:
            self.paths.forget()
            raise
        self.unanswered = None
        return applied

    def quarantine(self, segment_id: str, fault: str) -> int:
        """Marks a segment as not to be read, and returns the catalog's new version."""
        with self.writing() as connection:
            version = int(_meta(connection, "catalog_version")) + 1
            where = SEGMENTS.c.segment_id == segment_id
            connection.execute(SEGMENTS.update().where(where).values(fault=fault, version=version))
            self._note_in(connection, version, [(change_log.REMOVED, segment_id)])
            return version

    def note_in(self, connection: sa.Connection, entries: Sequence[change_log.Entry]) -> None:
        """Makes a version of the catalog where other nodes must follow a change; does nothing for one writer."""
        if self.shared and entries:
            version = int(_meta(connection, "catalog_version")) + 1
            self._note_in(connection, version, entries)

    def _note_in(
        self, connection: sa.Connection, version: int, entries: Sequence[change_log.Entry]
    ) -> None:
        _set_meta(connection, "catalog_version", str(version))
        if self.shared:
            change_log.write_in(connection, version, entries)

    # --- garbage: files of removed segments, kept until their last reader is gone ---

    def garbage(self) -> list[tuple[str, str, int]]:
        """Returns (file key, segment id, version that removed it) of files to be removed."""
        with self._begin() as connection:
            return segment_table.garbage_in(connection)

    def forget_garbage(self, file_keys: Iterable[str]) -> None:
        """Drops entries whose files are gone."""
        with self.writing() as connection:
            for file_key in file_keys:
                connection.execute(GARBAGE.delete().where(GARBAGE.c.place == file_key))

    # --- deletes and projects ---

    def add_delete(self, delete_id: str, predicate: str, now_ns: int) -> None:
        """Notes a delete before it is applied, so that a crash does not forget it."""
        with self.writing() as connection:
            delete_table.begin_in(connection, delete_id, predicate, now_ns)

    def pending_deletes(self) -> list[PendingDelete]:
        """Returns deletes that are not finished, oldest first."""
        with self._begin() as connection:
            return delete_table.pending_in(connection)

    def set_retention(self, project: str, days: int | None, now_ns: int) -> None:
        """Sets after how many days a project's rows expire; None keeps them."""
        with self.writing() as connection:
            where = PROJECTS.c.name == project
            done = connection.execute(PROJECTS.update().where(where).values(retention_days=days))
            if done.rowcount == 0:
                values = {"name": project, "created_ns": now_ns, "retention_days": days}
                connection.execute(PROJECTS.insert().values(**values))

    def forget_project(self, project: str) -> None:
        """Drops a project with its retention, datasets and experiments, after its last segment."""
        with self.writing() as connection:
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
        """Gives a connection for one change; raises StoreLockedError where another writer has opened it since."""
        if not self.shared:
            with self._lock, self._named_errors():
                self._writer.hold()
                with self._engine.begin() as connection:
                    self._writer.check_in(connection)
                    yield connection
            return
        # Nobody else changes anything once it has the lock, save what nodes say of themselves.
        with self._lock, self.telling() as connection:
            database.lock_writes(connection)
            self._writer.check_in(connection)
            yield connection

    def renew(self) -> None:
        """Takes the writer's lock again where its connection was lost; what else was lost with it is not used again."""
        with self._named_errors():
            self._writer.hold()

    @contextlib.contextmanager
    def telling(self) -> Iterator[sa.Connection]:
        """Gives a connection for what a node says of itself, which waits for no other node's change."""
        with self._named_errors():
            self._writer.hold()
            with self._connected("READ COMMITTED") as connection, connection.begin():
                yield connection

    @contextlib.contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Keeps all other nodes that ask for the same turn waiting; ends with the process that has it."""
        if not self.shared:
            yield
            return
        with (
            self._named_errors(),
            self._connected("AUTOCOMMIT") as connection,
            database.turn(connection, name),
        ):
            yield

    @staticmethod
    def meta_in(connection: sa.Connection, key: str) -> str:
        """Returns a value of the meta table as a transaction sees it."""
        return _meta(connection, key)

    # --- inside a transaction ---

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with self._named_errors(), self._engine.begin() as connection:
            yield connection

    def _connected(self, isolation: str) -> sa.Connection:
        return self._engine.connect().execution_options(isolation_level=isolation)

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise CatalogError(f"cannot use catalog {self.name}: {cause}") from error

    def _check(self, connection: sa.Connection, change: Change, version: int) -> None:
        if change.lease is not None and not node_table.holds_lease_in(connection, *change.lease):
            raise LeaseLostError(change.lease[0])
        if change.expected is not None and change.expected != version:
            raise BehindError(f"version {version}; made for {change.expected}")

    def _move_mark(self, connection: sa.Connection, wal_mark: int) -> None:
        if self.node is None:
            _set_meta(connection, "wal_mark", str(wal_mark))
        else:
            node_table.move_mark_in(connection, self.node.node_id, self.node.session, wal_mark)

    def _path_ids(self, owner: Owner) -> Iterable[tuple[int, str, str]]:
        columns = (PATHS.c.path_id, PATHS.c.path, PATHS.c.type)
        with self._begin() as connection:
            cursor = connection.execute(_paths_of(owner, *columns)).cursor
            if cursor is None:
                raise AssertionError("BUG: a SELECT gives rows")
            # The driver's own tuples: a Row of SQLAlchemy each would cost more than all else of a cold start.
            return cursor.fetchall()


def _paths_of(owner: Owner, *columns: sa.Column[Any]) -> sa.Select[Any]:
    return sa.select(*columns).where(PATHS.c.table_name == owner[0], PATHS.c.project == owner[1])


def _defaults(values: Mapping[str, str]) -> dict[str, str]:
    return {
        "catalog_version": "0",
        "next_path_id": "1",
        "wal_mark": "1",
        "cluster_key": secrets.token_urlsafe(32),
        **values,
    }


def _meta(connection: sa.Connection, key: str) -> str:
    value: str = connection.execute(sa.select(META.c.value).where(META.c.key == key)).scalar_one()
    return value


def _set_meta(connection: sa.Connection, key: str, value: str) -> None:
    connection.execute(META.update().where(META.c.key == key).values(value=value))
