"""Publishing over HTTP: for an operator whose server has the folder open."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from tracestore.errors import ProjectForbiddenError
from tracestore.iceberg.publisher import Publisher
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, projects_of
from tracestore_query.api.datasets import answered


class Published(BaseModel):
    """The result of a publication."""

    tables: int = Field(description="Tables that are published.")
    changed: int = Field(description="Those that have a new snapshot.")
    added: int = Field(description="Files that tables name now and did not before.")
    removed: int = Field(description="Files that tables name no more.")
    rows: int = Field(description="Rows that the tables have now.")
    deleted_files: int = Field(description="Files that no snapshot named any more, and that went.")


def iceberg_router(publisher: Publisher) -> APIRouter:
    """Returns the route."""
    router = APIRouter(prefix="/api/iceberg", tags=["operations"])

    @router.post("/publish", responses=ERRORS, response_model=Published)
    @needs("admin")
    async def publish(request: Request) -> Any:
        """Publishes every project's spans and logs as Iceberg tables over the segments as they are."""

        def published() -> Any:
            if projects_of(request) is not None:
                raise ProjectForbiddenError(
                    "cannot publish: tables are of all projects; use a key of all projects"
                )
            return asdict(publisher.publish())

        return await answered(published)

    return router
