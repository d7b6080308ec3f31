"""One export request, whichever way it came: into the store, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracestore.store import AllowedProjects, Store
from tracestore_ingest.otlp_answers import Outcome, outcome_of
from tracestore_ingest.request_route import route_of


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A request as it was received.

    Attributes:
        signal: "traces" or "logs".
        body: its bytes, perhaps compressed.
        content_type: of the body.
        encoding: of the body, None for a plain one.
        headers: names in lower case.
        allowed: the projects that the sender's key may write to, None for all.
    """

    signal: str
    body: bytes
    content_type: str
    encoding: str | None
    headers: Mapping[str, str]
    allowed: AllowedProjects


def store_export(store: Store, request: ExportRequest) -> Outcome:
    """Stores a request; on return its rows are durable and visible.

    Raises:
        TraceStoreError: nothing was stored; `otlp_answers.refusal_of` says how to refuse it.
    """
    route = route_of(request.headers)
    report = store.ingest_otlp(
        request.body,
        request.signal,
        request.content_type,
        request.encoding,
        route.project,
        route.experiment,
        allowed=request.allowed,
    )
    return outcome_of(report, request.signal)
