"""Who may call what: one rule for HTTP and gRPC. Composition: knows the services' ways to refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import Request, Response
from starlette.requests import cookie_parser

from tracestore.errors import CatalogError, ProjectForbiddenError
from tracestore.scopes import Scope
from tracestore.serving.problems import problem_answer
from tracestore.store import ApiKey, KeyRing
from tracestore.ui.sessions import COOKIE, Sessions
from tracestore_ingest.key_projects import Projects, Unauthenticated
from tracestore_ingest.otlp_http import refused, unauthenticated

RETRY_AFTER_S: Final = "2"
"""Seconds after which a catalog that does not answer is asked again for keys."""

MISSING: Final = "an API key is missing or unknown; send it as `Authorization: Bearer KEY`"


class Gate:
    """The check of API keys; it lets everybody in where it is given no ring."""

    def __init__(self, keys: KeyRing | None) -> None:
        self._keys = keys
        self.sessions = Sessions(keys)

    @property
    def closed(self) -> bool:
        """Tells whether requests need a key."""
        return self._keys is not None

    def admit_http(self, request: Request, scopes: Sequence[Scope]) -> Response | None:
        """Returns a refusal, or None and notes the key's projects in `request.state.projects`.

        Args:
            request: its headers name the key.
            scopes: what its route needs.
        """
        path = request.url.path
        if self._keys is None or not scopes:
            return None
        try:
            key = self._key_of(request.headers)
        except CatalogError as error:
            return _unsettled(request, path, error)
        missing = [scope for scope in scopes if key is None or not key.allows(scope)]
        if not missing and key is not None:
            request.state.projects = key.projects
            request.state.key_id = key.key_id
            request.state.key_name = key.name
            request.state.key_is_admin = key.allows("admin")
            return None
        message = MISSING if key is None else f"this key has no scope {missing[0]!r}"
        if path.startswith("/v1/"):
            declared = request.headers.get("content-type", "")
            return unauthenticated(path, declared, message, known=key is not None)
        status, challenge = (401, {"WWW-Authenticate": "Bearer"}) if key is None else (403, None)
        return problem_answer(status, "Not allowed", message, headers=challenge)

    def admit_grpc(self, metadata: Mapping[str, str]) -> Projects:
        """Returns the projects that a call may write to, None for all.

        Raises:
            Unauthenticated: where the call has no known key.
            ProjectForbiddenError: where its key may not send.
        """
        if self._keys is None:
            return None
        key = self._key_of(metadata)
        if key is None:
            raise Unauthenticated(MISSING)
        if not key.allows("ingest"):
            raise ProjectForbiddenError("cannot send: this key has no scope 'ingest'")
        return key.projects

    def admit_reader(self, metadata: Mapping[str, str]) -> str:
        """Returns who calls, empty where nobody is asked for a key.

        Raises:
            Unauthenticated: where the call has no known key.
            ProjectForbiddenError: where its key may not read.
        """
        if self._keys is None:
            return ""
        key = self._key_of(metadata)
        if key is None:
            raise Unauthenticated(MISSING)
        if not key.allows("read"):
            raise ProjectForbiddenError("cannot read: this key has no scope 'read'")
        return key.key_id

    def session_key(self, headers: Mapping[str, str]) -> str | None:
        """Returns the text of the key that a browser's session stands for, None where a request names a key itself."""
        if "authorization" in headers or "x-api-key" in headers:
            return None
        return self.sessions.text_of(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))

    def _key_of(self, headers: Mapping[str, str]) -> ApiKey | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        text = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not text and "cookie" in headers:
            # A page of another port of this host is the same site, and its requests carry the cookie.
            if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
                return None
            return self.sessions.key_of(cookie_parser(headers["cookie"]).get(COOKIE, ""))
        return self._keys.check(text) if self._keys is not None and text else None


def _unsettled(request: Request, path: str, error: CatalogError) -> Response:
    """Returns the answer to a key of which nobody can tell whether there is such a one: send it again."""
    headers = {"Retry-After": RETRY_AFTER_S}
    if path.startswith("/v1/"):
        return refused(request, 503, str(error), headers)
    return problem_answer(503, "Unavailable", str(error), headers=headers)
