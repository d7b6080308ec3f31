"""The built files of the web UI: hashed names that never change, and one page that every address of the UI gets."""

from __future__ import annotations

import functools
import mimetypes
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from tracestore.scopes import needs

BUILT: Final = Path(__file__).with_name("dist")
"""Where `make` puts what it builds of `ui/`; a checkout that was built without npm has none."""

FOREVER: Final = "public, max-age=31536000, immutable"
"""Of files whose name has a hash of their content."""

_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))

WITHOUT_PAGES: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>tracestore</title>
<h1>tracestore is running; its pages are not built</h1>
<p>This copy was installed from sources without npm. Everything else works: OTLP at <code>/v1/traces</code>,
SQL at <code>/api/query</code>, the API's documentation at <a href="/docs">/docs</a>.</p>
<p>To get the pages, install a released wheel (<code>pip install tracestore</code>), or run <code>make ui</code> in the
checkout: it takes Node from this machine or, where there is none, from PyPI.</p></html>"""


def pages_router(built: Path = BUILT) -> APIRouter:
    """Returns the routes of the UI.

    Args:
        built: the folder of the built files.
    """
    router = APIRouter(include_in_schema=False)
    read = functools.lru_cache(maxsize=512)(functools.partial(_read, built))

    @router.get("/")
    @router.get("/p/{rest:path}")
    @needs()
    def page(request: Request) -> Response:
        """Gives the one page; its script shows what the address names."""
        found = read("index.html", _encoding(request))
        if found is None:
            return HTMLResponse(WITHOUT_PAGES)
        body, headers = found
        return Response(body, 200, {**headers, "Cache-Control": "no-cache"})

    @router.get("/assets/{name}")
    @router.get("/{name}.svg")
    @needs()
    def asset(request: Request, name: str) -> Response:
        """Gives a built file."""
        inside = request.url.path.startswith("/assets/")
        found = read(f"assets/{name}" if inside else f"{name}.svg", _encoding(request))
        if found is None:
            return Response("no such file", 404, media_type="text/plain")
        body, headers = found
        caching = FOREVER if inside else "public, max-age=3600"
        return Response(body, 200, {**headers, "Cache-Control": caching})

    return router


def _encoding(request: Request) -> str:
    """Returns the first encoding of ours that a browser takes, empty for none."""
    accepted = request.headers.get("accept-encoding", "")
    names = {part.partition(";")[0].strip() for part in accepted.split(",")}
    return next((name for name, _ in _ENCODINGS if name in names), "")


def _read(built: Path, name: str, encoding: str) -> tuple[bytes, dict[str, str]] | None:
    """Returns a file's bytes and what says how to read them; None where there is no such file."""
    path = built / name
    # A name is one step below the folder: what it may hold besides letters leads nowhere else.
    if ".." in path.parts or not path.is_file():
        return None
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind.endswith(("javascript", "json"))
    headers = {
        "Content-Type": f"{kind}; charset=utf-8" if text else kind,
        "Vary": "Accept-Encoding",
    }
    twin = path.with_name(path.name + dict(_ENCODINGS).get(encoding, ""))
    if encoding and twin.is_file():
        return twin.read_bytes(), {**headers, "Content-Encoding": encoding}
    return path.read_bytes(), headers
