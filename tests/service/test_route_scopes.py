"""Every route says beside itself what a key must allow, and a request finds what its route says."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from tracestore.scopes import needs
from tracestore.serving.route_scopes import RouteScopes


@needs("read")
def asked() -> None: ...


@needs("admin")
def removed() -> None: ...


@needs()
def opened() -> None: ...


def undecided() -> None: ...


def test_a_request_finds_the_scopes_of_its_route() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.get("/things")(asked)
    app.delete("/things")(removed)
    app.get("/things/{name}")(opened)
    app.get("/deep/{rest:path}")(asked)
    scopes = RouteScopes(app.routes)
    assert scopes.of("GET", "/things") == ("read",)
    assert scopes.of("DELETE", "/things") == ("admin",)
    assert scopes.of("GET", "/things/1") == ()
    assert scopes.of("GET", "/deep/1/2") == ("read",)
    assert scopes.of("POST", "/things") == ()
    assert scopes.of("GET", "/elsewhere") == ()


def test_a_route_that_does_not_say_its_scopes_is_refused_at_the_start() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.get("/undecided")(undecided)
    with pytest.raises(TypeError, match="no scopes are noted of /undecided"):
        RouteScopes(app.routes)
