"""Which projects a writer may write to: one rule for OTLP requests, rows, patches and datasets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tracestore.errors import ProjectForbiddenError

DEFAULT_PROJECT: Final = "default"
"""The project of rows that name none."""

AllowedProjects = frozenset[str] | None
"""The projects that a writer may write to, None for all."""


def default_project(project: str | None, allowed: AllowedProjects) -> str:
    """Returns the project of rows that name none: the request's, else the only one that is allowed."""
    if project is None and allowed is not None and len(allowed) == 1:
        return next(iter(allowed))
    return project or DEFAULT_PROJECT


def check_projects(projects: Iterable[str], allowed: AllowedProjects) -> None:
    """Raises ProjectForbiddenError for the first project that is not allowed."""
    if allowed is None:
        return
    for project in projects:
        if project not in allowed:
            raise ProjectForbiddenError(
                f"cannot use project {project!r}: this key is not bound to it; "
                "name one that it is bound to"
            )
