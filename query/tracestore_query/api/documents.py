"""Saved documents over HTTP: `/api/documents…`. Alerts are documents too; their routes check what they hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tracestore.scopes import needs
from tracestore.store import Documents
from tracestore_query.api.answers import ERRORS, narrowed
from tracestore_query.api.datasets import MAX_VERSION, Project, answered, project_of

Kind = Annotated[
    Literal["view", "query", "board", "queue"], Path(description="What the document is.")
]
DocumentId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="The document.")]
SeenVersion = Annotated[
    int, Query(ge=1, le=MAX_VERSION, description="The version that is deleted: the newest.")
]

CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {**ERRORS[400], "description": "Somebody saved first, or the name is taken."}
}


class NewDocument(BaseModel):
    """A document to save."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=1024)
    body: dict[str, Any]


class ChangedDocument(BaseModel):
    """A document's new content, and the version that it changes."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=MAX_VERSION, description="The newest version, which was seen.")
    name: str | None = Field(default=None, min_length=1, max_length=1024)
    body: dict[str, Any]


class DocumentBody(BaseModel):
    """A saved document as of one version; without its body where only a list was asked for."""

    document_id: str
    project: str
    kind: str
    name: str
    version: int
    created_ns: int
    updated_ns: int
    author: str | None
    body: dict[str, Any] | None


class VersionBody(BaseModel):
    """One version of a document."""

    version: int
    name: str
    author: str | None
    created_ns: int


class Deleted(BaseModel):
    """The document that is gone."""

    document_id: str


def author_of(request: Request) -> str | None:
    """Returns the name of the key that asks, None where nobody is asked for one."""
    name: str | None = getattr(request.state, "key_name", None)
    return name


def documents_router(documents: Documents) -> APIRouter:
    """Returns the routes of a store's documents."""
    router = APIRouter(prefix="/api/documents", tags=["documents"])

    @router.get("/{kind}", responses=ERRORS, response_model=list[DocumentBody])
    @needs("read")
    async def list_documents(
        request: Request,
        kind: Kind,
        project: Project = None,
        bodies: Annotated[bool, Query(description="Whether bodies come too.")] = False,
    ) -> Any:
        """Lists the newest versions of the documents of a kind."""
        projects = narrowed(request, project)
        return await answered(
            lambda: [asdict(each) for each in documents.list(projects, kind=kind, bodies=bodies)]
        )

    @router.post("/{kind}", responses={**CONFLICT, **ERRORS}, response_model=DocumentBody)
    @needs("ingest", "read")
    async def create_document(
        request: Request, kind: Kind, body: NewDocument, project: Project = None
    ) -> Any:
        """Saves a new document."""
        return await answered(
            lambda: asdict(
                documents.create(
                    kind,
                    body.name,
                    body.body,
                    project=project_of(request, project),
                    author=author_of(request),
                )
            )
        )

    @router.get("/{kind}/{document_id}", responses=ERRORS, response_model=DocumentBody)
    @needs("read")
    async def get_document(
        request: Request,
        kind: Kind,
        document_id: DocumentId,
        project: Project = None,
        version: Annotated[int | None, Query(ge=1, le=MAX_VERSION)] = None,
    ) -> Any:
        """Gives a document, by default its newest version."""
        return await answered(
            lambda: asdict(
                documents.get(
                    document_id, kind=kind, project=project_of(request, project), version=version
                )
            )
        )

    @router.get(
        "/{kind}/{document_id}/versions", responses=ERRORS, response_model=list[VersionBody]
    )
    @needs("read")
    async def list_versions(
        request: Request, kind: Kind, document_id: DocumentId, project: Project = None
    ) -> Any:
        """Lists the versions that are kept of a document, newest first."""
        return await answered(
            lambda: [
                asdict(each)
                for each in documents.versions(
                    document_id, kind=kind, project=project_of(request, project)
                )
            ]
        )

    @router.put(
        "/{kind}/{document_id}", responses={**CONFLICT, **ERRORS}, response_model=DocumentBody
    )
    @needs("ingest", "read")
    async def save_document(
        request: Request,
        kind: Kind,
        document_id: DocumentId,
        body: ChangedDocument,
        project: Project = None,
    ) -> Any:
        """Saves a new version; is refused where the named version is not the newest any more."""
        return await answered(
            lambda: asdict(
                documents.save(
                    document_id,
                    body.body,
                    kind=kind,
                    version=body.version,
                    name=body.name,
                    project=project_of(request, project),
                    author=author_of(request),
                )
            )
        )

    @router.delete(
        "/{kind}/{document_id}", responses={**CONFLICT, **ERRORS}, response_model=Deleted
    )
    @needs("ingest", "read")
    async def delete_document(
        request: Request,
        kind: Kind,
        document_id: DocumentId,
        version: SeenVersion,
        project: Project = None,
    ) -> Any:
        """Deletes a document with every version."""

        def deleted() -> dict[str, str]:
            owner = project_of(request, project)
            documents.delete(document_id, kind=kind, version=version, project=owner)
            return {"document_id": document_id}

        return await answered(deleted)

    return router
