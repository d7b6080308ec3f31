"""What an operator does to a store over HTTP: counts, checks, merges, deletes by condition, settings of projects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal, Protocol, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tracestore.errors import ProjectForbiddenError
from tracestore.limits import MAX_CLUSTER_COLUMNS
from tracestore.scopes import needs
from tracestore.store import CheckReport, CompactionReport, DeleteReport, StoreStats
from tracestore_query.api.answers import ERRORS, MAX_TIMEOUT_S, projects_of
from tracestore_query.api.datasets import answered, project_of
from tracestore_query.explore.selection import MAX_CONDITION_CHARACTERS


class Operated(Protocol):
    """The verbs of a store that these routes call."""

    def stats(self) -> StoreStats:
        """Returns counts of what the store holds and has done."""

    def flush(self) -> int:
        """Writes everything in memory to segments."""

    def compact(self, *, full: bool = False) -> CompactionReport:
        """Merges segments."""

    def check(self, *, deep: bool = False, quarantine: bool = False) -> CheckReport:
        """Looks for damaged and missing files."""

    def set_retention(self, project: str, days: int | None) -> None:
        """Sets after how many days the rows of a project expire."""

    def set_cluster_by(self, project: str, columns: Sequence[str] | None) -> None:
        """Sets by which columns a project's new segments are clustered."""

    def delete(
        self,
        *,
        project: str | None = None,
        where: str = "",
        tables: Sequence[str] | None = None,
        params: Any = None,
        dry_run: bool = False,
        projects: Collection[str] | None = None,
        timeout_s: float | None = None,
    ) -> DeleteReport:
        """Removes rows that a condition of SQL selects."""


class CheckBody(BaseModel):
    """How far a check goes."""

    model_config = ConfigDict(extra="forbid")

    deep: bool = Field(default=False, description="Whether every page is read.")
    quarantine: bool = Field(
        default=False, description="Whether damaged segments are left out of answers from then on."
    )


class CompactBody(BaseModel):
    """How far a compaction goes."""

    model_config = ConfigDict(extra="forbid")

    full: bool = Field(default=False, description="Whether each day is merged as far as it goes.")


class DeleteBody(BaseModel):
    """The rows to delete."""

    model_config = ConfigDict(extra="forbid")

    where: str = Field(
        min_length=1, max_length=MAX_CONDITION_CHARACTERS, description="A condition of SQL."
    )
    params: dict[str, Any] | list[Any] | None = Field(
        default=None, description="Values of `$name` or `?`."
    )
    table: Literal["spans", "logs"] = "spans"
    project: str | None = Field(
        default=None, max_length=1024, description="Of this project alone; default of all."
    )
    dry_run: bool = Field(default=False, description="Counts the rows and deletes none.")
    timeout_s: float = Field(default=MAX_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)


class ProjectBody(BaseModel):
    """The settings of a project that change; others stay."""

    model_config = ConfigDict(extra="forbid")

    retention_days: int | None = Field(
        default=None, ge=1, le=36_500, description="Days after which rows expire; null keeps them."
    )
    cluster_by: list[str] | None = Field(
        default=None,
        max_length=MAX_CLUSTER_COLUMNS,
        description="Columns and paths that new segments are sorted by before time; null sorts by time alone.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("want retention_days, cluster_by or both")
        return self


class Deleted(BaseModel):
    """What a delete removed, or would remove."""

    rows: int
    segments: int
    faults: list[str]


Name = Annotated[str, Query(min_length=1, max_length=1024, description="The project.")]


def operations_router(store: Operated) -> APIRouter:
    """Returns the routes of an open store's operations."""
    router = APIRouter(prefix="/api", tags=["operations"])

    @router.get("/store/stats", responses=ERRORS)
    @needs("admin")
    async def stats(request: Request) -> Any:
        """Counts what the store holds."""
        return await answered(lambda: asdict(_whole(request, store).stats()))

    @router.post("/store/check", responses=ERRORS)
    @needs("admin")
    async def check(request: Request, body: CheckBody) -> Any:
        """Verifies the files of the store, and changes none."""
        return await answered(
            lambda: asdict(_whole(request, store).check(deep=body.deep, quarantine=body.quarantine))
        )

    @router.post("/store/compact", responses=ERRORS)
    @needs("admin")
    async def compact(request: Request, body: CompactBody) -> Any:
        """Writes what is in memory to segments, and merges small ones."""

        def merged() -> Any:
            _whole(request, store).flush()
            return asdict(store.compact(full=body.full))

        return await answered(merged)

    @router.post("/delete", responses=ERRORS, response_model=Deleted)
    @needs("admin")
    async def delete(request: Request, body: DeleteBody) -> Any:
        """Deletes the rows that a condition selects; once it answers they are in no file any more."""
        return await answered(
            lambda: asdict(
                store.delete(
                    where=body.where,
                    params=body.params,
                    tables=(body.table,),
                    project=body.project,
                    dry_run=body.dry_run,
                    projects=projects_of(request),
                    timeout_s=body.timeout_s,
                )
            )
        )

    @router.put(
        "/projects",
        responses=ERRORS,
        response_model=ProjectBody,
        response_model_exclude_unset=True,
    )
    @needs("admin")
    async def retain(request: Request, body: ProjectBody, name: Name) -> Any:
        """Sets after how many days the rows of a project expire, and what its segments are clustered by."""

        def kept() -> Any:
            project = project_of(request, name)
            if "cluster_by" in body.model_fields_set:
                store.set_cluster_by(project, body.cluster_by)
            if "retention_days" in body.model_fields_set:
                store.set_retention(project, body.retention_days)
            return body

        return await answered(kept)

    @router.delete("/projects", responses=ERRORS, response_model=Deleted)
    @needs("admin")
    async def delete_project(request: Request, name: Name) -> Any:
        """Deletes every row of a project, its datasets included."""
        return await answered(lambda: asdict(store.delete(project=project_of(request, name))))

    return router


def _whole(request: Request, store: Operated) -> Operated:
    """Returns the store, for what tells of all of it or changes all of it.

    Raises:
        ProjectForbiddenError: where the request's key is bound to projects.
    """
    if projects_of(request) is not None:
        raise ProjectForbiddenError(
            "cannot operate the store: this key is bound to projects; use one that is bound to none"
        )
    return store
