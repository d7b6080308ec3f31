"""Which project and experiment a request's headers name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Route:
    """The project and experiment of rows that name none."""

    project: str | None = None
    experiment: str | None = None


def route_of(headers: Mapping[str, str]) -> Route:
    """Returns the route that headers name; names are in lower case.

    `x-tracestore-project` and `x-tracestore-experiment`, percent-encoded where they hold more than ASCII, or
    `x-bt-parent: project_name:NAME` and `x-bt-parent: experiment_name:NAME`.
    """
    project = headers.get("x-tracestore-project")
    experiment = headers.get("x-tracestore-experiment")
    kind, _, name = headers.get("x-bt-parent", "").partition(":")
    if name and kind in {"project_name", "project_id"}:
        project = project or name
    elif name and kind in {"experiment_name", "experiment_id"}:
        experiment = experiment or name
    return Route(unquote(project) if project else None, unquote(experiment) if experiment else None)
