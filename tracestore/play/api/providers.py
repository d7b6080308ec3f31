"""Providers of models over HTTP: `/api/providers…`. No route gives a key, or takes one."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import ProjectForbiddenError, ProviderError, TraceStoreError
from tracestore.play.api.shapes import CHANGES, Gone, ProviderName, is_admin
from tracestore.play.providers.keys import has_key
from tracestore.play.providers.registry import Provider, Providers
from tracestore.play.providers.settings import ProviderSettings
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, narrowed, problem, projects_of
from tracestore_query.api.datasets import MAX_VERSION, Project, answered
from tracestore_query.api.documents import author_of


class ShownProvider(BaseModel):
    """A provider without its key; for others than admins without the path of its address."""

    name: str
    kind: Literal["openai", "anthropic"]
    base_url: str
    key: str | None = Field(description="The name of the variable or file; null for no key.")
    has_key: bool = Field(description="Whether the key is there, or none is wanted.")
    models: list[str]
    concurrency: int
    requests_per_minute: int | None
    timeout_s: float
    projects: list[str] | None
    origin: Literal["settings", "api"] = Field(description="What says it.")
    version: int | None = Field(description="Of the document, null for one of the settings.")


class ModelsAnswer(BaseModel):
    """The models of a provider: those that it lists, else those of its settings."""

    models: list[str]
    listed: bool
    failure: str | None = Field(description="Why the endpoint lists none.")


class SavedProvider(ProviderSettings):
    """A provider to save."""

    version: int = Field(default=0, ge=0, le=MAX_VERSION, description="The newest; 0 makes one.")


def providers_router(providers: Providers) -> APIRouter:
    """Returns the routes of a server's providers."""
    router = APIRouter(prefix="/api/providers", tags=["play"])

    @router.get("", responses=ERRORS, response_model=list[ShownProvider])
    @needs("read")
    async def list_providers(request: Request, project: Project = None) -> Any:
        """Lists the providers that a project may use, and whether the key of each is there."""
        projects = narrowed(request, project)
        admin = is_admin(request)
        return await answered(
            lambda: [_shown(each, admin=admin) for each in providers.list(projects)]
        )

    @router.get("/{name}/models", responses=ERRORS, response_model=ModelsAnswer)
    @needs("ingest", "read")
    async def list_models(request: Request, name: ProviderName, project: Project = None) -> Any:
        """Lists the models of a provider, as its endpoint does."""
        allowed = narrowed(request, project)

        def found() -> Provider:
            one = next(iter(allowed)) if allowed is not None and len(allowed) == 1 else None
            provider = providers.get(name, one)
            if allowed is not None and not any(map(provider.settings.may_be_used_by, allowed)):
                raise ProjectForbiddenError(f"cannot ask provider {name}: it is not for this key")
            return provider

        try:
            provider = await run_in_threadpool(found)
        except TraceStoreError as error:
            return problem(error)
        try:
            models = await providers.client(provider).models()
        except ProviderError as error:
            own = sorted(provider.settings.models)
            return {"models": own, "listed": False, "failure": str(error)}
        more = [each for each in provider.settings.models if each not in models]
        return {"models": [*more, *models], "listed": True, "failure": None}

    @router.put("/{name}", responses=CHANGES, response_model=ShownProvider)
    @needs("admin")
    async def save_provider(request: Request, name: ProviderName, body: SavedProvider) -> Any:
        """Saves a provider; its key is named by a variable that the settings allow, and stays where it is."""

        def saved() -> dict[str, Any]:
            _check_unbound(request)
            settings = ProviderSettings(**body.model_dump(exclude={"version"}))
            done = providers.save(name, settings, body.version, author_of(request))
            return _shown(done, admin=True)

        return await answered(saved)

    @router.delete("/{name}", responses=CHANGES, response_model=Gone)
    @needs("admin")
    async def delete_provider(
        request: Request,
        name: ProviderName,
        version: Annotated[int, Query(ge=1, le=MAX_VERSION, description="The newest version.")],
    ) -> Any:
        """Removes a provider that the API made."""

        def deleted() -> dict[str, str]:
            _check_unbound(request)
            providers.delete(name, version)
            return {"name": name}

        return await answered(deleted)

    return router


def _check_unbound(request: Request) -> None:
    if projects_of(request) is not None:
        raise ProjectForbiddenError(
            "cannot change providers: they belong to the server; use a key that is bound to no projects"
        )


def _shown(provider: Provider, *, admin: bool) -> dict[str, Any]:
    shown = provider.settings.shown()
    if not admin:
        parts = urlsplit(shown["base_url"])
        shown["base_url"] = f"{parts.scheme}://{parts.hostname or ''}/…"
    return {
        "name": provider.name,
        **shown,
        "has_key": has_key(provider.settings),
        "origin": provider.origin,
        "version": provider.version,
    }
