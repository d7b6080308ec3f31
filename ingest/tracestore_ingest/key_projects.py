"""Which projects a request may write to: those that the sender's key is bound to."""

from __future__ import annotations

from dataclasses import replace

from tracestore.errors import ProjectForbiddenError
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.store.write.decompress import decompress, normal_encoding
from tracestore.store.write.payloads import normal_content_type
from tracestore.variant import otlp_projects
from tracestore_ingest.request_route import Route

Projects = frozenset[str] | None
"""Project names, None for all."""


class Unauthenticated(Exception):  # noqa: N818 - a state of the sender, not a fault
    """Says that a request carries no key, or none that is known."""


def bound_route(route: Route, projects: Projects) -> Route:
    """Returns the route of rows that name no project: a key bound to one project means that one.

    Raises:
        ProjectForbiddenError: where the headers name a project of somebody else.
    """
    if projects is None:
        return route
    if route.project is None and len(projects) == 1:
        route = replace(route, project=next(iter(projects)))
    if (route.project or "default") not in projects:
        raise _forbidden(route.project or "default", projects)
    return route


def check_payload(
    body: bytes,
    signal: str,
    content_type: str,
    encoding: str | None,
    route: Route,
    projects: Projects,
) -> None:
    """Refuses a payload whose resources name a project that the key is not bound to.

    Raises:
        ProjectForbiddenError: naming the project; nothing was stored.
        PayloadError, LimitExceededError, UnsupportedPayloadError: as storing it would.
    """
    if projects is None:
        return
    plain = decompress(body, normal_encoding(encoding), MAX_PAYLOAD_BYTES)
    found = otlp_projects(
        plain,
        signal=signal,
        content_type=normal_content_type(content_type),
        default=route.project or "default",
    )
    for name in found:
        if name not in projects:
            raise _forbidden(name, projects)


def _forbidden(name: str, projects: frozenset[str]) -> ProjectForbiddenError:
    allowed = ", ".join(sorted(projects))
    return ProjectForbiddenError(
        f"cannot write to project {name!r}: this key is bound to {allowed}"
    )
