"""The keys of a server over HTTP, and what the server is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

import tracestore
from tracestore.errors import UnknownKeyError
from tracestore.scopes import needs
from tracestore.store import ApiKey, KeyRing, Store, check_projects
from tracestore_query.api.answers import ERRORS, projects_of
from tracestore_query.api.datasets import answered


class Status(BaseModel):
    """What a server is and holds."""

    version: str
    folder: str | None = Field(description="Where it keeps its files; told to admins of all.")
    numbers: dict[str, int] | None = Field(
        description="What the store holds and has done; null for a key of some projects."
    )


class KeyBody(BaseModel):
    """An API key without its secret."""

    key_id: str
    name: str
    scopes: list[str]
    projects: list[str] | None
    created_ns: int
    revoked_ns: int | None


class NewKey(BaseModel):
    """What a new key may do, and in which projects (null: in all)."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    scopes: list[Literal["ingest", "read", "admin"]] = Field(min_length=1, max_length=3)
    projects: list[Annotated[str, Field(min_length=1, max_length=1024)]] | None = Field(
        default=None, min_length=1, max_length=1000
    )


class MadeKey(KeyBody):
    """A new key with its text, which is shown this once."""

    text: str


KeyId = Annotated[str, Path(pattern="^[0-9a-f]{12}$", description="The key.")]


def keys_router(store: Store, keys: KeyRing) -> APIRouter:
    """Returns the routes of keys and of what the server is."""
    router = APIRouter(prefix="/api", tags=["operations"])

    @router.get("/status", responses=ERRORS, response_model=Status)
    @needs("read")
    async def status(request: Request) -> Any:
        """Tells what the server is and holds."""
        return await answered(lambda: _status(store, request))

    @router.get("/keys", responses=ERRORS, response_model=list[KeyBody])
    @needs("admin")
    async def list_keys(request: Request) -> Any:
        """Lists the keys of the projects that the caller's own key is bound to, revoked ones too."""
        return await answered(lambda: _listed(keys, projects_of(request)))

    @router.post("/keys", responses=ERRORS, response_model=MadeKey)
    @needs("admin")
    async def create_key(request: Request, body: NewKey) -> Any:
        """Makes a key, for no more projects than the caller's own; its text is in this answer and nowhere else."""

        def made() -> dict[str, Any]:
            own = projects_of(request)
            wanted = body.projects if body.projects is not None or own is None else sorted(own)
            check_projects(wanted or (), own)
            key, text = keys.create(body.name, body.scopes, wanted)
            return {**_described(key), "text": text}

        return await answered(made)

    @router.delete("/keys/{key_id}", responses=ERRORS, response_model=list[KeyBody])
    @needs("admin")
    async def revoke_key(request: Request, key_id: KeyId) -> Any:
        """Ends a key, and gives the keys that there are now."""

        def revoked() -> list[dict[str, Any]]:
            own = projects_of(request)
            if own is None or any(each["key_id"] == key_id for each in _listed(keys, own)):
                keys.revoke(key_id)
                return _listed(keys, own)
            raise UnknownKeyError(
                f"cannot revoke key {key_id!r}: no key of these projects has this id"
            )

        return await answered(revoked)

    return router


def _status(store: Store, request: Request) -> dict[str, Any]:
    whole = projects_of(request) is None
    admin = getattr(request.state, "key_is_admin", True)
    return {
        "version": tracestore.__version__,
        "folder": str(store.folder) if whole and admin else None,
        "numbers": asdict(store.stats()) if whole else None,
    }


def _listed(keys: KeyRing, projects: frozenset[str] | None) -> list[dict[str, Any]]:
    """Returns the keys that reach no further than some projects, None for all keys."""
    return [
        _described(key)
        for key in keys.list()
        if projects is None or (key.projects is not None and key.projects <= projects)
    ]


def _described(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "projects": None if key.projects is None else sorted(key.projects),
        "created_ns": key.created_ns,
        "revoked_ns": key.revoked_ns,
    }
