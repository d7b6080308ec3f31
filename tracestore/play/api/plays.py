"""Plays over HTTP: `/api/play…`: documents that several people change at once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.play.api.shapes import CHANGES
from tracestore.play.runs.body import PlayBody
from tracestore.play.runs.edits import MAX_EDITS, Edit
from tracestore.play.runs.plays import Plays, document_shown
from tracestore.play.runs.sessions import PlaySessions
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, narrowed, problem
from tracestore_query.api.datasets import MAX_VERSION, Project, answered, project_of
from tracestore_query.api.documents import (
    Deleted,
    DocumentId,
    SeenVersion,
    VersionBody,
    author_of,
)


class NewPlay(BaseModel):
    """A play to save."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    body: PlayBody = Field(default_factory=PlayBody)


class ListedPlay(BaseModel):
    """A play without its content."""

    document_id: str
    project: str
    name: str
    version: int
    created_ns: int
    updated_ns: int
    author: str | None


class ShownPlay(ListedPlay):
    """A play as of one version."""

    body: dict[str, Any]


class Edits(BaseModel):
    """Changes of single places of a play."""

    model_config = ConfigDict(extra="forbid")

    edits: list[Edit] = Field(default_factory=list, max_length=MAX_EDITS)
    client: str | None = Field(
        default=None, max_length=100, description="Comes back in the event: a page knows its own."
    )
    name: str | None = Field(default=None, min_length=1, max_length=200)


class Edited(BaseModel):
    """What became of changes."""

    version: int
    sequence: int = Field(description="Number of the event that tells of it, 0 where nobody looks.")
    ignored: list[int] = Field(description="Numbers of edits whose place is gone.")


def plays_router(plays: Plays, sessions: PlaySessions) -> APIRouter:
    """Returns the routes of a store's plays."""
    router = APIRouter(prefix="/api/play", tags=["play"])

    @router.get("", responses=ERRORS, response_model=list[ListedPlay])
    @needs("read")
    async def list_plays(request: Request, project: Project = None) -> Any:
        """Lists plays."""
        projects = narrowed(request, project)
        return await answered(lambda: [document_shown(each) for each in plays.list(projects)])

    @router.post("", responses=CHANGES, response_model=ShownPlay)
    @needs("ingest", "read")
    async def create_play(request: Request, body: NewPlay, project: Project = None) -> Any:
        """Saves a new play."""
        return await answered(
            lambda: document_shown(
                plays.create(body.name, body.body, project_of(request, project), author_of(request))
            )
        )

    @router.get("/{document_id}", responses=ERRORS, response_model=ShownPlay)
    @needs("read")
    async def get_play(
        request: Request,
        document_id: DocumentId,
        project: Project = None,
        version: Annotated[int | None, Query(ge=1, le=MAX_VERSION)] = None,
    ) -> Any:
        """Gives a play, by default its newest version."""
        return await answered(
            lambda: document_shown(plays.get(document_id, project_of(request, project), version))
        )

    @router.patch("/{document_id}", responses=CHANGES, response_model=Edited)
    @needs("ingest", "read")
    async def edit_play(
        request: Request, document_id: DocumentId, body: Edits, project: Project = None
    ) -> Any:
        """Changes single places; the last change wins at its place, and everybody who looks is told."""
        try:
            owner = await run_in_threadpool(project_of, request, project)
            document, sequence, ignored = await sessions.edit(
                document_id, body.edits, owner, author_of(request), body.client, body.name
            )
        except TraceStoreError as error:
            return problem(error)
        return {"version": document.version, "sequence": sequence, "ignored": ignored}

    @router.delete("/{document_id}", responses=CHANGES, response_model=Deleted)
    @needs("ingest", "read")
    async def delete_play(
        request: Request, document_id: DocumentId, version: SeenVersion, project: Project = None
    ) -> Any:
        """Deletes a play with every version; what runs of it ends."""
        try:
            owner = await run_in_threadpool(project_of, request, project)
            await sessions.delete(document_id, version, owner)
        except TraceStoreError as error:
            return problem(error)
        return {"document_id": document_id}

    @router.get("/{document_id}/versions", responses=ERRORS, response_model=list[VersionBody])
    @needs("read")
    async def list_play_versions(
        request: Request, document_id: DocumentId, project: Project = None
    ) -> Any:
        """Lists the versions that are kept of a play, newest first."""
        return await answered(
            lambda: [
                asdict(each) for each in plays.versions(document_id, project_of(request, project))
            ]
        )

    return router
