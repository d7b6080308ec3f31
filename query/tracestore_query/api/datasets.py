"""Datasets over HTTP: `/api/datasets…`. Names are parameters, not parts of the path: they may hold slashes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import DatasetError, TraceStoreError
from tracestore.scopes import needs
from tracestore.store import Dataset, check_projects, default_project
from tracestore_query.api.answers import (
    DEFAULT_TIMEOUT_S,
    ERRORS,
    MAX_TIMEOUT_S,
    bounded_body,
    problem,
    projects_of,
)
from tracestore_query.evals.datasets import SqlDatasets

MAX_VERSION: Final = 2**63 - 1
"""What the catalog's integers hold."""

Name = Annotated[str, Query(min_length=1, max_length=1024, description="The dataset.")]
Project = Annotated[str | None, Query(max_length=1024, description="Its project.")]


NDJSON_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
}


class Report(BaseModel):
    """What a write did; `version` is the newest one, made by the write where it changed anything."""

    version: int
    rows: int
    added: int
    updated: int
    deleted: int
    unchanged: int


class Version(BaseModel):
    """One version of a dataset."""

    version: int
    created_ns: int
    rows: int
    added: int
    updated: int
    deleted: int


class DatasetBody(BaseModel):
    """One dataset: its newest version, all versions, and versions by the names given to them."""

    project: str
    name: str
    version: int
    rows: int
    created_ns: int
    versions: list[Version]
    snapshots: dict[str, int]


class QueryRows(BaseModel):
    """A query whose answer becomes rows."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(min_length=1, max_length=1_000_000, description="One SELECT statement.")
    params: dict[str, Any] | list[Any] | None = None
    timeout_s: float = Field(default=DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)


class Ids(BaseModel):
    """The ids of rows."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] = Field(max_length=1_000_000)


class Named(BaseModel):
    """A version and the name that it has."""

    snapshot: str
    version: int


class Dropped(BaseModel):
    """The number of stored revisions of rows that were removed."""

    revisions: int


class SnapshotBody(BaseModel):
    """A name for a version; without a version, for the newest."""

    model_config = ConfigDict(extra="forbid")

    snapshot: str = Field(min_length=1, max_length=1024)
    version: int | None = Field(default=None, ge=1, le=MAX_VERSION)


def project_of(request: Request, project: str | None) -> str:
    """Returns the project that a request is about.

    Raises:
        ProjectForbiddenError: where its key is not bound to it.
    """
    allowed = projects_of(request)
    project = default_project(project, allowed)
    check_projects([project], allowed)
    return project


async def answered(work: Callable[[], Any]) -> Any:
    """Returns what work off the event loop returns, or its error as problem+json."""
    try:
        return await run_in_threadpool(work)
    except TraceStoreError as error:
        return problem(error)


def datasets_router(datasets: SqlDatasets) -> APIRouter:
    """Returns the routes of a store's datasets."""
    router = APIRouter(prefix="/api/datasets", tags=["datasets"])

    @router.get("", responses=ERRORS, response_model=list[DatasetBody])
    @needs("read")
    async def list_datasets(
        request: Request, name: Annotated[str | None, Query(max_length=1024)] = None
    ) -> Any:
        """Lists datasets, or those of one name, with their versions and snapshots."""
        return await answered(
            lambda: [
                described(each)
                for each in datasets.list(projects_of(request))
                if name in {None, each.name}
            ]
        )

    @router.post("/rows", responses=ERRORS, response_model=Report, openapi_extra=NDJSON_BODY)
    @needs("ingest")
    async def add_rows(request: Request, name: Name, project: Project = None) -> Any:
        """Adds NDJSON rows as one version: `id`, `input`, `expected`, `metadata`, `tags`, `origin`."""
        return await _with_rows(
            request, project, lambda rows, owner: datasets.add(name, rows, project=owner)
        )

    @router.post("/update", responses=ERRORS, response_model=Report, openapi_extra=NDJSON_BODY)
    @needs("ingest")
    async def update_rows(request: Request, name: Name, project: Project = None) -> Any:
        """Changes the given fields of rows that are there, NDJSON with their `id`, as one version."""
        return await _with_rows(
            request, project, lambda rows, owner: datasets.update(name, rows, project=owner)
        )

    @router.post("/query", responses=ERRORS, response_model=Report)
    @needs("ingest", "read")
    async def add_query(
        request: Request, body: QueryRows, name: Name, project: Project = None
    ) -> Any:
        """Adds the answer of a query as one version."""
        return await answered(
            lambda: asdict(
                datasets.add(
                    name,
                    sql=body.sql,
                    params=body.params,
                    project=project_of(request, project),
                    projects=projects_of(request),
                    timeout_s=body.timeout_s,
                )
            )
        )

    @router.post("/delete", responses=ERRORS, response_model=Report)
    @needs("ingest")
    async def delete_rows(request: Request, body: Ids, name: Name, project: Project = None) -> Any:
        """Deletes rows by id, from a new version on."""
        return await answered(
            lambda: asdict(datasets.delete(name, body.ids, project=project_of(request, project)))
        )

    @router.post("/snapshots", responses=ERRORS, response_model=Named)
    @needs("ingest")
    async def name_version(
        request: Request, body: SnapshotBody, name: Name, project: Project = None
    ) -> Any:
        """Gives a version a name that stays with it."""
        return await answered(
            lambda: {
                "snapshot": body.snapshot,
                "version": datasets.snapshot(
                    name, body.snapshot, version=body.version, project=project_of(request, project)
                ),
            }
        )

    @router.delete("", responses=ERRORS, response_model=Dropped)
    @needs("admin")
    async def drop(request: Request, name: Name, project: Project = None) -> Any:
        """Removes a dataset with every version, for good."""
        return await answered(
            lambda: {"revisions": datasets.drop(name, project=project_of(request, project))}
        )

    return router


def described(dataset: Dataset) -> dict[str, Any]:
    """Returns a dataset as the API gives it."""
    shown = Version.model_fields
    return {
        "project": dataset.project,
        "name": dataset.name,
        "version": dataset.version,
        "rows": dataset.rows,
        "created_ns": dataset.created_ns,
        "versions": [
            {name: getattr(version, name) for name in shown} for version in dataset.versions
        ],
        "snapshots": dataset.snapshots,
    }


async def _with_rows(
    request: Request, project: str | None, write: Callable[[Iterator[Mapping[str, Any]], str], Any]
) -> Any:
    try:
        body = await bounded_body(request)
        owner = project_of(request, project)
    except TraceStoreError as error:
        return problem(error)
    return await answered(lambda: asdict(write(_parsed(body), owner)))


def _parsed(body: bytes) -> Iterator[Mapping[str, Any]]:
    number = 0
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"cannot keep row {number}: it is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise DatasetError(f"cannot keep row {number}: it is no object")
        yield row
        number += 1
