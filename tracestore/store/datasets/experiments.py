"""Experiments in the catalog: what is known of a named run beside its spans."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tracestore.errors import ExperimentError
from tracestore.store.catalog.schema.tables import EXPERIMENTS
from tracestore.store.core import Core
from tracestore.store.write import payloads
from tracestore.store.write.allowed_projects import DEFAULT_PROJECT


@dataclass(frozen=True, slots=True)
class Experiment:
    """The record of an experiment. One that only spans name has no record.

    Attributes:
        created_ns: nanoseconds since 1970.
        metadata: free-form.
        dataset, dataset_version: what its cases came from.
        base: name of the experiment that it is compared with.
        git_commit: of the code that ran.
    """

    project: str
    name: str
    created_ns: int
    metadata: dict[str, Any]
    dataset: str | None = None
    dataset_version: int | None = None
    base: str | None = None
    git_commit: str | None = None


class Experiments:
    """The records of experiments. Thread-safe."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def create(
        self,
        name: str,
        *,
        project: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        dataset: str | None = None,
        dataset_version: int | None = None,
        base: str | None = None,
        git_commit: str | None = None,
        unique: bool = False,
        taken: Collection[str] = (),
    ) -> Experiment:
        """Records an experiment. Of a known one, the given fields replace the earlier ones.

        With `unique` the name is reserved: where another record or one of the `taken` names has it, the
        experiment gets the first free one of `name-2`, `name-3`, and so on. Two calls never get one name.

        Raises ExperimentError for metadata that JSON does not have, LimitExceededError for a name that
        is empty or too long.
        """
        self._core.require_catalog()
        project = project or DEFAULT_PROJECT
        payloads.check_name(project, "project")
        payloads.check_name(name, "experiment")
        try:
            text = None if metadata is None else json.dumps(dict(metadata), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ExperimentError(
                f"cannot create experiment {name!r}: its metadata is not JSON: {error}"
            ) from error
        given = {
            "metadata": text,
            "dataset": dataset,
            "dataset_version": dataset_version,
            "base": base,
            "git_commit": git_commit,
        }
        given = {key: value for key, value in given.items() if value is not None}
        with self._core.catalog.writing() as connection:
            if unique:
                name = _free_name(connection, project, name, taken)
            where = (EXPERIMENTS.c.project == project) & (EXPERIMENTS.c.name == name)
            known = connection.execute(sa.select(EXPERIMENTS.c.name).where(where)).first()
            if known is None:
                values = {"project": project, "name": name, "created_ns": self._core.clock.now_ns()}
                connection.execute(EXPERIMENTS.insert().values(**values, **given))
            elif given:
                connection.execute(EXPERIMENTS.update().where(where).values(**given))
            row = connection.execute(sa.select(EXPERIMENTS).where(where)).mappings().one()
            return _experiment(dict(row))

    def list(self, projects: Collection[str] | None = None) -> list[Experiment]:
        """Returns the records of projects (None for all), newest first."""
        self._core.require_open()
        order = (EXPERIMENTS.c.created_ns.desc(), EXPERIMENTS.c.name)
        query = sa.select(EXPERIMENTS).order_by(*order)
        if projects is not None:
            query = query.where(EXPERIMENTS.c.project.in_(list(projects)))
        with self._core.catalog.transaction() as connection:
            if not sa.inspect(connection).has_table(EXPERIMENTS.name):
                return []  # a catalog of version 1, opened by a reader
            rows = connection.execute(query).mappings().all()
        return [_experiment(dict(row)) for row in rows]

    def get(self, name: str, project: str | None = None) -> Experiment | None:
        """Returns one record, None where there is none."""
        for experiment in self.list([project or DEFAULT_PROJECT]):
            if experiment.name == name:
                return experiment
        return None

    def remove(self, name: str, project: str | None = None) -> None:
        """Removes the record of an experiment; its spans stay."""
        self._core.require_catalog()
        where = (EXPERIMENTS.c.project == (project or DEFAULT_PROJECT)) & (
            EXPERIMENTS.c.name == name
        )
        with self._core.catalog.writing() as connection:
            connection.execute(EXPERIMENTS.delete().where(where))


def _free_name(connection: sa.Connection, project: str, name: str, taken: Collection[str]) -> str:
    """Returns the name, or the first numbered one that no record of the project and none of `taken` has."""
    query = sa.select(EXPERIMENTS.c.name).where(EXPERIMENTS.c.project == project)
    used = {*taken, *connection.execute(query).scalars()}
    numbers = range(2, len(used) + 3)
    names = (name, *(f"{name}-{number}" for number in numbers))
    return next(candidate for candidate in names if candidate not in used)


def _experiment(values: dict[str, Any]) -> Experiment:
    text = values.pop("metadata")
    return Experiment(metadata={} if text is None else json.loads(text), **values)
