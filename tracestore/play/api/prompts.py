"""Prompts over HTTP: `/api/prompts…`. Writers change and run them; a run asks a model, which costs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.play.api.prompt_runs import PromptRuns, RunBody
from tracestore.play.api.shapes import (
    ASKS,
    CHANGES,
    AsLabelled,
    Change,
    Gone,
    Label,
    Slug,
    Usage,
    Values,
    event,
    streamed,
)
from tracestore.play.prompts.body import LABEL, SLUG, PromptBody
from tracestore.play.prompts.prompts import Prompts, changes
from tracestore.play.prompts.rendering import rendered, values_of
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, narrowed, problem
from tracestore_query.api.datasets import MAX_VERSION, Project, answered, project_of
from tracestore_query.api.documents import SeenVersion, author_of

AsVersion = Annotated[int | None, Query(ge=1, le=MAX_VERSION, description="The version.")]
OneVersion = Annotated[int, Query(ge=1, le=MAX_VERSION)]


class NewPrompt(BaseModel):
    """A prompt to save."""

    model_config = ConfigDict(extra="forbid")

    slug: str = Field(pattern=SLUG)
    body: PromptBody


class ChangedPrompt(BaseModel):
    """A prompt's new content, and the version that it changes."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=MAX_VERSION, description="The newest version, which was seen.")
    body: PromptBody


class ShownPrompt(BaseModel):
    """A prompt as of one version, with the versions that its labels stand at."""

    slug: str
    project: str
    version: int
    created_ns: int
    updated_ns: int
    author: str | None
    labels: dict[str, int]
    body: dict[str, Any]


class PromptVersion(BaseModel):
    """One version of a prompt."""

    version: int
    author: str | None
    created_ns: int
    labels: list[str]


class Differences(BaseModel):
    """The places at which two versions differ."""

    before: int
    after: int
    changes: list[Change]


class LabelBody(BaseModel):
    """The version that a label is moved to."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=MAX_VERSION)


class RenderBody(Values):
    """The values for a prompt, and which version of it."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(default=None, ge=1, le=MAX_VERSION)
    label: str | None = Field(default=None, pattern=LABEL)


class RenderedBody(BaseModel):
    """The messages of a prompt for some values."""

    slug: str
    version: int
    messages: list[dict[str, Any]]
    missing: list[str] = Field(description="Names of values that were not there.")


class RunAnswer(BaseModel):
    """What a run gave, and its span."""

    slug: str
    version: int
    output: Any
    message: dict[str, Any]
    messages: list[dict[str, Any]]
    finish_reason: str | None
    usage: Usage
    cost: float | None
    seconds: float
    time_to_first_token: float | None
    turns: int
    trace_id: str
    span_id: str
    missing: list[str]


def prompts_router(prompts: Prompts, runs: PromptRuns) -> APIRouter:
    """Returns the routes of a store's prompts."""
    router = APIRouter(prefix="/api/prompts", tags=["play"])
    _add_documents(router, prompts)
    _add_versions(router, prompts)
    _add_runs(router, prompts, runs)
    return router


def _add_documents(router: APIRouter, prompts: Prompts) -> None:
    """Adds the routes that list, give and change prompts."""

    @router.get("", responses=ERRORS, response_model=list[ShownPrompt])
    @needs("read")
    async def list_prompts(request: Request, project: Project = None) -> Any:
        """Lists the newest versions of prompts."""
        projects = narrowed(request, project)
        return await answered(lambda: [each.shown() for each in prompts.list(projects)])

    @router.post("", responses=CHANGES, response_model=ShownPrompt)
    @needs("ingest", "read")
    async def create_prompt(request: Request, body: NewPrompt, project: Project = None) -> Any:
        """Saves a new prompt."""
        return await answered(
            lambda: prompts.create(
                body.slug, body.body, project_of(request, project), author_of(request)
            ).shown()
        )

    @router.get("/{slug}", responses=ERRORS, response_model=ShownPrompt)
    @needs("read")
    async def get_prompt(
        request: Request,
        slug: Slug,
        project: Project = None,
        version: AsVersion = None,
        label: AsLabelled = None,
    ) -> Any:
        """Gives a prompt as of a version or a label, by default its newest version."""
        return await answered(
            lambda: prompts.get(
                slug, project_of(request, project), version=version, label=label
            ).shown()
        )

    @router.put("/{slug}", responses=CHANGES, response_model=ShownPrompt)
    @needs("ingest", "read")
    async def save_prompt(
        request: Request, slug: Slug, body: ChangedPrompt, project: Project = None
    ) -> Any:
        """Saves a new version; is refused where the named version is not the newest any more."""
        return await answered(
            lambda: prompts.save(
                slug, body.body, body.version, project_of(request, project), author_of(request)
            ).shown()
        )

    @router.delete("/{slug}", responses=CHANGES, response_model=Gone)
    @needs("ingest", "read")
    async def delete_prompt(
        request: Request, slug: Slug, version: SeenVersion, project: Project = None
    ) -> Any:
        """Deletes a prompt with every version and label."""

        def deleted() -> dict[str, str]:
            prompts.delete(slug, version, project_of(request, project))
            return {"name": slug}

        return await answered(deleted)


def _add_versions(router: APIRouter, prompts: Prompts) -> None:
    """Adds the routes of versions and labels."""

    @router.get("/{slug}/versions", responses=ERRORS, response_model=list[PromptVersion])
    @needs("read")
    async def list_prompt_versions(request: Request, slug: Slug, project: Project = None) -> Any:
        """Lists the versions that are kept of a prompt, newest first, with their labels."""
        return await answered(lambda: prompts.versions(slug, project_of(request, project)))

    @router.get("/{slug}/diff", responses=ERRORS, response_model=Differences)
    @needs("read")
    async def compare_versions(
        request: Request, slug: Slug, before: OneVersion, after: OneVersion, project: Project = None
    ) -> Any:
        """Tells what differs between two versions of a prompt, place by place."""

        def compared() -> dict[str, Any]:
            owner = project_of(request, project)
            bodies = [
                prompts.get(slug, owner, version=each).body.shown() for each in (before, after)
            ]
            return {"before": before, "after": after, "changes": changes(*bodies)}

        return await answered(compared)

    @router.put("/{slug}/labels/{label}", responses=CHANGES, response_model=ShownPrompt)
    @needs("ingest", "read")
    async def move_label(
        request: Request, slug: Slug, label: Label, body: LabelBody, project: Project = None
    ) -> Any:
        """Moves a label to a version: who asks for the label gets that version from now on."""
        return await answered(
            lambda: prompts.label(
                slug, label, body.version, project_of(request, project), author_of(request)
            ).shown()
        )

    @router.delete("/{slug}/labels/{label}", responses=CHANGES, response_model=ShownPrompt)
    @needs("ingest", "read")
    async def remove_label(
        request: Request, slug: Slug, label: Label, project: Project = None
    ) -> Any:
        """Takes a label away."""
        return await answered(
            lambda: prompts.label(
                slug, label, None, project_of(request, project), author_of(request)
            ).shown()
        )


def _add_runs(router: APIRouter, prompts: Prompts, runs: PromptRuns) -> None:
    """Adds the routes that render and run a prompt."""

    @router.post("/{slug}/render", responses=ERRORS, response_model=RenderedBody)
    @needs("read")
    async def render_prompt(
        request: Request, slug: Slug, body: RenderBody, project: Project = None
    ) -> Any:
        """Gives the messages of a prompt for some values; asks no model."""

        def made() -> dict[str, Any]:
            owner = project_of(request, project)
            prompt = prompts.get(slug, owner, version=body.version, label=body.label)
            found = rendered(prompt.body, values_of(body.input, body.expected, body.metadata))
            return {
                "slug": slug,
                "version": prompt.version,
                "messages": found.messages,
                "missing": list(found.missing),
            }

        return await answered(made)

    @router.post("/{slug}/run", responses=ASKS, response_model=RunAnswer)
    @needs("ingest", "read")
    async def run_prompt(
        request: Request,
        slug: Slug,
        body: RunBody,
        project: Project = None,
        traceparent: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Any:
        """Runs a prompt and stores its spans; with `stream` it sends events while it runs."""
        try:
            owner = await run_in_threadpool(project_of, request, project)
            run = await runs.begin(slug, body, owner, traceparent)
            if body.stream:
                return streamed(_events(run))
            async with aclosing(run) as steps:
                async for _, data in steps:
                    last = data
        except TraceStoreError as error:
            return problem(error)
        return last


async def _events(run: AsyncGenerator[tuple[str, Any]]) -> AsyncGenerator[bytes]:
    """Yields what happens in a run as events; an error is the last of them."""
    try:
        async with aclosing(run) as steps:
            async for name, data in steps:
                yield event(name, data)
    except TraceStoreError as error:
        detail, _, hint = str(error).partition("; ")
        name = type(error).__name__
        yield event("problem", {"type": name, "detail": detail, "hint": hint or None})
