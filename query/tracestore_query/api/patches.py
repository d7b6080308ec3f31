"""Late scores and labels over HTTP: `/api/patch`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS
from tracestore_query.api.datasets import answered, project_of

MAX_PATCHES = 10_000
"""Patches of one request: one transaction of the catalog, some 100 ms."""


class Removal(BaseModel):
    """The items to take out of a list."""

    model_config = ConfigDict(extra="forbid")

    path: list[str] = Field(min_length=1, max_length=64)
    delete: list[Any]


class SpanPatch(BaseModel):
    """A change of one span, which may come later; a field that is not given stays as it is."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    trace_id: str = Field(min_length=1, max_length=256)
    span_id: str = Field(min_length=1, max_length=256)
    project: str | None = Field(default=None, max_length=1024)
    scores: dict[str, int | float | bool | None] | None = None
    metadata: dict[str, Any] | None = None
    metrics: dict[str, int | float | bool | None] | None = None
    tags: list[str] | None = Field(default=None, description="Added to those there are.")
    expected: Any = None
    comment: str | None = Field(default=None, description="Added to `metadata.comments`.")
    author: str | None = Field(default=None, description="Of the comment.")
    is_merge: bool | None = Field(
        default=None, alias="_is_merge", description="False replaces objects and tags whole."
    )
    merge_paths: list[list[str]] | None = Field(
        default=None, alias="_merge_paths", description="Objects that are replaced whole."
    )
    array_delete: list[Removal] | None = Field(default=None, alias="_array_delete")
    object_delete: list[list[str]] | None = Field(
        default=None, alias="_object_delete", description="Paths whose values go."
    )


class PatchBody(BaseModel):
    """The patches that are stored together or not at all."""

    model_config = ConfigDict(extra="forbid")

    patches: list[SpanPatch] = Field(min_length=1, max_length=MAX_PATCHES)


class PatchAnswer(BaseModel):
    """The number of patches that are stored."""

    patches: int


def patches_router(patch: Callable[[Sequence[Mapping[str, Any]]], int]) -> APIRouter:
    """Returns the route that takes patches.

    Args:
        patch: stores patches, all of them or none, and returns their number.
    """
    router = APIRouter(tags=["feedback"])

    @router.post("/api/patch", responses=ERRORS, response_model=PatchAnswer)
    @needs("ingest")
    async def patch_spans(
        request: Request,
        body: PatchBody,
        project: Annotated[
            str | None, Query(max_length=1024, description="Of the patches that name none.")
        ] = None,
    ) -> Any:
        """Changes scores, metadata, metrics, tags and expected of spans; every later query sees it."""

        def stored() -> dict[str, int]:
            given = []
            for each in body.patches:
                change = each.model_dump(exclude_unset=True, by_alias=True)
                change["project"] = project_of(request, each.project or project)
                given.append(change)
            return {"patches": patch(given)}

        return await answered(stored)

    return router
