"""Datasets in the catalog: names, versions and snapshots. The rows themselves are in segments and the log.

A version number is reserved before rows carry it and committed once they are durable: a reader asks for
committed versions only, so that a write is seen whole or not at all. A reserved number that was never
committed is not used again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from tracestore.errors import DatasetError, UnknownDatasetError
from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.schema.tables import (
    DATASET_SNAPSHOTS,
    DATASET_VERSIONS,
    DATASETS,
    DELETES,
)


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """One committed version of a dataset.

    Attributes:
        version: its number; numbers grow, and one may be missing after a write that failed.
        created_ns: time of its last row, nanoseconds since 1970.
        rows: rows of the dataset as of it.
        added, updated, deleted: rows by what the version did to them.
        wal_sequence: number of the log file that was written to when it was committed.
    """

    version: int
    created_ns: int
    rows: int
    added: int
    updated: int
    deleted: int
    wal_sequence: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as the catalog knows it.

    Attributes:
        dataset_id: names it in stored rows; a dataset made under an old name is another one.
        versions: committed ones, oldest first.
        snapshots: version by the name somebody gave it.
    """

    dataset_id: str
    project: str
    name: str
    created_ns: int
    versions: tuple[DatasetVersion, ...]
    snapshots: dict[str, int]

    @property
    def version(self) -> int:
        """Returns the newest version, 0 where nothing was written yet."""
        return self.versions[-1].version if self.versions else 0

    @property
    def rows(self) -> int:
        """Returns the rows as of the newest version."""
        return self.versions[-1].rows if self.versions else 0

    def at(self, version: int | str | None) -> int:
        """Returns the version that a number, a snapshot's name or None (the newest) means.

        Raises UnknownDatasetError.
        """
        if version is None:
            return self.version
        if isinstance(version, str):
            if version in self.snapshots:
                return self.snapshots[version]
            names = ", ".join(sorted(self.snapshots)) or "none"
            raise UnknownDatasetError(
                f"cannot read dataset {self.name!r}: it has no snapshot {version!r}; there is {names}"
            )
        if version == self.version or any(known.version == version for known in self.versions):
            return version
        raise UnknownDatasetError(
            f"cannot read dataset {self.name!r}: it has no version {version}; the newest is {self.version}"
        )

    def abandoned(self, version: int) -> list[int]:
        """Returns the numbers below a version that rows may carry though they were never committed."""
        committed = {known.version for known in self.versions if known.version <= version}
        if len(committed) == version:
            return []
        return [number for number in range(1, version) if number not in committed]


class DatasetCatalog:
    """The catalog's tables of datasets. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def list(
        self, projects: Collection[str] | None, *, flushed_only: bool = False
    ) -> list[Dataset]:
        """Returns the datasets of projects (None for all) in order of project and name.

        `flushed_only` leaves out versions with rows that are in the log alone: a reader process does
        not see these.
        """
        with self._catalog.transaction() as connection:
            if not sa.inspect(connection).has_table(DATASETS.name):
                return []  # a catalog of version 1, opened by a reader
            mark = int(self._catalog.meta_in(connection, "wal_mark"))
            query = sa.select(DATASETS).order_by(DATASETS.c.project, DATASETS.c.name)
            if projects is not None:
                query = query.where(DATASETS.c.project.in_(list(projects)))
            dataset_rows = connection.execute(query).all()
            versions: dict[str, list[DatasetVersion]] = {}
            ordered = sa.select(DATASET_VERSIONS).order_by(DATASET_VERSIONS.c.version)
            for row in connection.execute(ordered).mappings():
                values = dict(row)
                if not flushed_only or values["wal_sequence"] < mark:
                    versions.setdefault(values.pop("dataset_id"), []).append(
                        DatasetVersion(**values)
                    )
            snapshots: dict[str, dict[str, int]] = {}
            for named in connection.execute(sa.select(DATASET_SNAPSHOTS)):
                snapshots.setdefault(named.dataset_id, {})[named.name] = named.version
        return [
            Dataset(
                row.dataset_id,
                row.project,
                row.name,
                row.created_ns,
                tuple(versions.get(row.dataset_id, ())),
                snapshots.get(row.dataset_id, {}),
            )
            for row in dataset_rows
        ]

    def create(self, dataset: Dataset, version: DatasetVersion | None) -> None:
        """Adds a dataset together with its first version; None adds an empty one."""
        values = {
            "dataset_id": dataset.dataset_id,
            "project": dataset.project,
            "name": dataset.name,
            "created_ns": dataset.created_ns,
            "next_version": 1 if version is None else version.version + 1,
        }
        with self._catalog.writing() as connection:
            connection.execute(DATASETS.insert().values(**values))
            if version is not None:
                _add_version(connection, dataset.dataset_id, version)

    def reserve(self, dataset_id: str) -> int:
        """Returns a version number that nothing else has or will have."""
        where = DATASETS.c.dataset_id == dataset_id
        with self._catalog.writing() as connection:
            query = sa.select(DATASETS.c.next_version).where(where)
            version = int(connection.execute(query).scalar_one())
            connection.execute(DATASETS.update().where(where).values(next_version=version + 1))
            return version

    def commit(self, dataset_id: str, version: DatasetVersion) -> None:
        """Makes a version what readers see."""
        with self._catalog.writing() as connection:
            _add_version(connection, dataset_id, version)

    def name_version(self, dataset: Dataset, name: str, version: int, now_ns: int) -> None:
        """Gives a version a name; raises DatasetError where another version has it."""
        if dataset.snapshots.get(name, version) != version:
            raise DatasetError(
                f"cannot name version {version} of dataset {dataset.name!r} {name!r}: version "
                f"{dataset.snapshots[name]} has that name; choose another"
            )
        if name in dataset.snapshots:
            return
        values = {
            "dataset_id": dataset.dataset_id,
            "name": name,
            "version": version,
            "created_ns": now_ns,
        }
        with self._catalog.writing() as connection:
            connection.execute(DATASET_SNAPSHOTS.insert().values(**values))

    def drop(self, dataset_id: str, delete_id: str, predicate: str, now_ns: int) -> None:
        """Forgets a dataset with its versions and names, and notes the delete of its rows."""
        values = {"delete_id": delete_id, "predicate": predicate, "created_ns": now_ns, "rows": 0}
        with self._catalog.writing() as connection:
            connection.execute(DELETES.insert().values(**values))
            for table in (DATASET_SNAPSHOTS, DATASET_VERSIONS, DATASETS):
                connection.execute(table.delete().where(table.c.dataset_id == dataset_id))


def _add_version(connection: sa.Connection, dataset_id: str, version: DatasetVersion) -> None:
    values = {name: getattr(version, name) for name in DatasetVersion.__slots__}
    connection.execute(DATASET_VERSIONS.insert().values(dataset_id=dataset_id, **values))
