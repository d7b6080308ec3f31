"""Signing in and out over HTTP: `/api/session`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from tracestore.scopes import needs
from tracestore.store import ApiKey
from tracestore.ui.sessions import COOKIE, Sessions
from tracestore_query.api.answers import ERRORS, Problem


class KeyBody(BaseModel):
    """The key that a browser signs in with."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=1024)


class SessionBody(BaseModel):
    """What a browser may do: everything where no keys are asked for."""

    keys_required: bool
    signed_in: bool
    name: str | None = None
    scopes: list[str] = []
    projects: list[str] | None = None


def session_router(sessions: Sessions) -> APIRouter:
    """Returns the routes of signing in."""
    router = APIRouter(prefix="/api/session", tags=["session"])

    @router.get("", response_model=SessionBody)
    @needs()
    def who(request: Request) -> SessionBody:
        """Tells whether keys are asked for, and what this browser's session may do."""
        return _described(sessions, sessions.key_of(request.cookies.get(COOKIE, "")))

    @router.post("", responses={401: ERRORS[403], **ERRORS}, response_model=SessionBody)
    @needs()
    def sign_in(request: Request, body: KeyBody, response: Response) -> Any:
        """Begins a session with a key; the answer sets a cookie that stands for it."""
        if not sessions.keys_required:
            return _described(sessions, None)
        begun = sessions.begin(body.key)
        if begun is None:
            detail = "this is no live key; look at `tracestore keys list`"
            refusal = Problem(type="about:blank", title="Not allowed", status=401, detail=detail)
            return JSONResponse(refusal.model_dump(), 401, media_type="application/problem+json")
        token, key = begun
        response.set_cookie(
            COOKIE,
            token,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path="/",
        )
        return _described(sessions, key)

    @router.delete("", response_model=SessionBody)
    @needs()
    def sign_out(request: Request, response: Response) -> SessionBody:
        """Ends this browser's session."""
        sessions.end(request.cookies.get(COOKIE, ""))
        response.delete_cookie(COOKIE, path="/")
        return _described(sessions, None)

    return router


def _described(sessions: Sessions, key: ApiKey | None) -> SessionBody:
    return SessionBody(
        keys_required=sessions.keys_required,
        signed_in=key is not None,
        name=key.name if key is not None else None,
        scopes=sorted(key.scopes) if key is not None else [],
        projects=sorted(key.projects) if key is not None and key.projects is not None else None,
    )
