"""What web pages may do: which names the server answers to, which origins may ask, what browsers are told.

A server without keys trusts whoever reaches it. A browser on the same machine reaches it too, for any page that
it shows. So such a server looks at the headers that a page cannot choose.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response

from tracestore.serving.problems import problem_answer

# Every script, style and request of a page comes from the server itself; images of spans are in the page.
_POLICY: Final = (
    b"default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; object-src 'none'; "
    b"base-uri 'none'; "
    b"form-action 'self'; frame-ancestors 'none'"
)

SECURITY_HEADERS: Final = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
"""Headers of every answer."""

_FROM_HERE: Final = frozenset({"", "same-origin", "none"})
"""Values of `Sec-Fetch-Site` of the server's own pages, of typed addresses and of programs, which send none."""

_DATA: Final = ("/api/", "/v1/", "/mcp", "/jaeger/", "/tempo/", "/gateway/")
"""Paths that no link of another page leads to; pages may be linked from anywhere."""


class BrowserRules:
    """The rules for requests that a browser may have sent.

    Args:
        open_to_all: whether nobody is asked for a key.
        loopback: whether the server listens on this machine's own addresses only.
        allowed_hosts: further names the server is reached by.
        cors_origins: origins whose pages may send requests and read answers.
    """

    def __init__(
        self,
        *,
        open_to_all: bool,
        loopback: bool,
        allowed_hosts: Collection[str],
        cors_origins: Collection[str],
    ) -> None:
        self._open_to_all = open_to_all
        self._loopback = loopback
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in cors_origins)

    def refusal(self, method: str, path: str, headers: Headers) -> Response | None:
        """Returns why a request is not answered, None where it is.

        A key is sent by a program or by a page that was given it, never by the browser alone. So a server that
        asks for keys needs none of this.
        """
        if not self._open_to_all:
            return None
        host = headers.get("host", "")
        if not self._is_ours(_name_of(host)):
            return problem_answer(
                421,
                "Unknown host",
                "this server has another name than the request's Host",
                hint="list the name in the setting allowed_hosts",
            )
        origin = headers.get("origin")
        if origin is not None:
            if self._may_ask(origin, host):
                return None
        elif headers.get("sec-fetch-site", "").lower() in _FROM_HERE or _is_link(
            method, path, headers
        ):
            return None
        return problem_answer(
            403,
            "Foreign origin",
            "a page of another origin may not use this server",
            hint="list its origin in the setting cors_origins",
        )

    def _is_ours(self, name: str) -> bool:
        if name in self._hosts or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            # A name without a dot is the local network's own; nobody else can give it an address.
            return not self._loopback and name != "" and "." not in name
        return address.is_loopback or not self._loopback

    def _may_ask(self, origin: str, host: str) -> bool:
        origin = origin.lower()
        parts = urlsplit(origin)
        own = parts.scheme in {"http", "https"} and (
            parts.netloc == host.lower() or parts.hostname in self._hosts
        )
        return own or origin in self._origins


def _name_of(host: str) -> str:
    """Returns the name or address in a Host header, without its port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_link(method: str, path: str, headers: Headers) -> bool:
    """Tells whether a page elsewhere was left for one of ours: nothing of ours is shown inside the other."""
    return (
        method in {"GET", "HEAD"}
        and headers.get("sec-fetch-mode", "").lower() == "navigate"
        and headers.get("sec-fetch-dest", "").lower() == "document"
        and not path.startswith(_DATA)
    )
