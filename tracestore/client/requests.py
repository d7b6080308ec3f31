"""The requests of a client's verbs, for a client that waits and for one that does not; and how an answer is judged."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracestore.content_types import ARROW_STREAM
from tracestore.errors import ClientError, ServerUnreachableError
from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    import httpx
else:
    httpx = LazyModule("httpx")

DEFAULT_URL: Final = "http://127.0.0.1:4318"

PATCHES_A_REQUEST: Final = 5000
"""Patches sent in one request, which are stored together or not at all."""

Rows = bytes | Iterable[Mapping[str, Any]]
Patches = Mapping[str, Any] | Iterable[Mapping[str, Any]]


class Request(NamedTuple):
    """One request: what httpx is given."""

    method: str
    path: str
    options: dict[str, Any]


def server(url: str | None, api_key: str | None) -> tuple[str, dict[str, str]]:
    """Returns a server's URL and the headers of every request; what is not given is of the environment."""
    key = api_key or os.environ.get("TRACESTORE_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return url or os.environ.get("TRACESTORE_URL") or DEFAULT_URL, headers


def query(sql: str, params: Any, timeout_s: float) -> Request:
    """Returns the request of one statement, answered as Arrow."""
    body = {"sql": sql, "params": params, "timeout_s": timeout_s}
    return Request("POST", "/api/query", {"json": body, "headers": {"Accept": ARROW_STREAM}})


def insert(table: str, rows: Rows, project: str | None, experiment: str | None) -> Request:
    """Returns the request that stores rows."""
    if not isinstance(rows, bytes):
        rows = "".join(json.dumps(dict(row), default=str) + "\n" for row in rows).encode()
    named = {"table": table, "project": project, "experiment": experiment}
    return Request("POST", "/api/import", {"params": _known(named), "content": rows})


def patches(given: Patches, project: str | None) -> tuple[int, list[Request]]:
    """Returns how many patches there are, and the requests that store them."""
    listed = [given] if isinstance(given, Mapping) else [dict(patch) for patch in given]
    named = _known({"project": project})
    requests = [
        Request(
            "POST",
            "/api/patch",
            {"params": named, "json": {"patches": listed[start : start + PATCHES_A_REQUEST]}},
        )
        for start in range(0, len(listed), PATCHES_A_REQUEST)
    ]
    return len(listed), requests


def otlp(
    body: bytes,
    signal: str,
    content_type: str,
    content_encoding: str | None,
    project: str | None,
    experiment: str | None,
) -> Request:
    """Returns an OTLP export request as it is."""
    headers = {
        "Content-Type": content_type,
        "Content-Encoding": content_encoding,
        "x-tracestore-project": project,
        "x-tracestore-experiment": experiment,
    }
    return Request("POST", f"/v1/{signal}", {"content": body, "headers": _known(headers)})


@contextlib.contextmanager
def reached(url: str) -> Iterator[None]:
    """Turns what the network says into one sentence with the URL and a remedy."""
    try:
        yield
    except httpx.TimeoutException as error:
        text = f"cannot wait for {url}: no answer in time; give more by timeout_s="
        raise ServerUnreachableError(None, {}, text) from error
    except (httpx.TransportError, httpx.InvalidURL, UnicodeEncodeError) as error:
        text = f"cannot reach {url}: {error}; start a server there (`tracestore serve`), or name another URL"
        raise ServerUnreachableError(None, {}, text) from error


def checked(response: httpx.Response) -> httpx.Response:
    """Returns an answer; raises ClientError for one that is an error."""
    if response.is_error:
        try:
            problem = response.json()
        except ValueError:
            problem = {}
        known = problem if isinstance(problem, dict) else {}
        raise ClientError(response.status_code, known, response.text)
    return response


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
