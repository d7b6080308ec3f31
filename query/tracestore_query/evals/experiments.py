"""Experiments with SQL: compared case by case and in sum."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tracestore.store import Core, Experiment, Experiments, default_project
from tracestore_query.evals.compare_summary import compare_experiments
from tracestore_query.query import Query


class SqlExperiments(Experiments):
    """The experiments of a store, which queries compare. Thread-safe.

    Args:
        core: the open store's parts.
        query: gives the query layer over it.
    """

    def __init__(self, core: Core, query: Callable[[], Query]) -> None:
        super().__init__(core)
        self._query = query

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
        """Records an experiment; a name that is reserved is one that no span has either.

        See `tracestore.store.Experiments.create`.
        """
        if unique:
            sql = "SELECT name FROM experiments WHERE project = $project"
            owner = default_project(project, None)
            with self._query().sql(sql, {"project": owner}, projects=[owner]) as result:
                taken = {*taken, *(row["name"] for row in result.rows())}
        return super().create(
            name,
            project=project,
            metadata=metadata,
            dataset=dataset,
            dataset_version=dataset_version,
            base=base,
            git_commit=git_commit,
            unique=unique,
            taken=taken,
        )

    def compare(
        self,
        *names: str,
        project: str | None = None,
        key: str | None = None,
        group_by: str | None = None,
        cases: int = 1000,
        contents: bool = True,
        projects: Collection[str] | None = None,
        timeout_s: float | None = 120.0,
    ) -> dict[str, Any]:
        """Returns experiments compared with the first of them.

        Args:
            names: two to eight experiments.
            project: the project of all of them, None for every one that may be seen.
            key: the path whose value makes two cases the same; default their inputs.
            group_by: the path whose values part the summary, e.g. `metadata.category`.
            cases: cases listed at most, those that fell most first.
            contents: whether listed cases have their input, what was expected, and each output.
            projects: the projects that may be seen, None for all.
            timeout_s: seconds until it is stopped, None for no bound.

        Raises:
            QueryError: for a key or group that is no path, or names that are not two to eight.
            ExperimentError: where one of them has no case.
        """
        return compare_experiments(
            self._query(),
            names,
            key=key,
            group_by=group_by,
            project=project,
            projects=projects,
            cases=cases,
            contents=contents,
            timeout_s=timeout_s,
        )
