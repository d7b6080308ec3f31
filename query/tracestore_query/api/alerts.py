"""Alerts over HTTP: `/api/alerts…`. Readers see them; admins change them, since they send requests elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tracestore.scopes import needs
from tracestore.store import AlertEvent, Alerts, Document, Documents
from tracestore_query.api.answers import ERRORS, narrowed
from tracestore_query.api.datasets import MAX_VERSION, Project, answered, project_of
from tracestore_query.api.documents import CONFLICT, DocumentId, SeenVersion, author_of

KIND: Final = "alert"

_KNOWN: Final = ("state", "since_ns", "checked_ns", "value", "failure")


class WebhookBody(BaseModel):
    """Where the events of an alert go; each request is signed where there is a secret."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(min_length=8, max_length=2000, pattern=r"^https?://[^\s]+$")
    format: Literal["json", "slack"] = "json"
    secret: str | None = Field(
        default=None, max_length=200, description="Null keeps the one that is there."
    )


class RuleBody(BaseModel):
    """What an alert looks at, and when it fires."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(
        min_length=1,
        max_length=100_000,
        description="A statement; its first row's first column is compared.",
    )
    op: Literal[">", ">=", "<", "<=", "=", "!="] = ">"
    threshold: float = Field(default=0, allow_inf_nan=False)
    every_s: float = Field(default=60, ge=10, le=86_400, allow_inf_nan=False)
    for_s: float = Field(default=0, ge=0, le=604_800, allow_inf_nan=False)
    enabled: bool = True
    webhook: WebhookBody | None = None


class NewAlert(BaseModel):
    """An alert to save."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=1024)
    rule: RuleBody


class ChangedAlert(NewAlert):
    """An alert's new rule, and the version that it changes."""

    version: int = Field(ge=1, le=MAX_VERSION)


class ShownWebhook(BaseModel):
    """A webhook without its secret; for others than admins without its path, which often is one."""

    url: str
    format: str
    signed: bool


class ShownRule(BaseModel):
    """An alert's rule as it is shown."""

    sql: str
    op: str
    threshold: float
    every_s: float
    for_s: float
    enabled: bool
    webhook: ShownWebhook | None


class AlertBody(BaseModel):
    """An alert with what is known of it; its state is null before the first look."""

    document_id: str
    project: str
    name: str
    version: int
    updated_ns: int
    author: str | None
    rule: ShownRule
    state: Literal["ok", "pending", "firing"] | None
    since_ns: int | None
    checked_ns: int | None
    value: str | None = Field(description="What the statement gave last, as JSON.")
    failure: str | None = Field(description="Why it could not be looked at last.")


class EventBody(BaseModel):
    """One thing that was told of an alert, and what became of sending it."""

    event_id: str
    state: Literal["firing", "resolved", "test"]
    created_ns: int
    value: str | None
    delivery: Literal["none", "waiting", "done", "failed"]
    attempts: int
    next_ns: int
    answer: str | None


class Gone(BaseModel):
    """The alert that was deleted."""

    document_id: str


class Watch(Protocol):
    """What looks at alerts and sends what they tell."""

    def changed(self) -> None:
        """Sees a changed list of alerts at once."""

    def told(self) -> None:
        """Sends a new event at once."""


def alerts_router(documents: Documents, watch: Watch) -> APIRouter:
    """Returns the routes of a store's alerts."""
    alerts = documents.alerts
    router = APIRouter(prefix="/api/alerts", tags=["alerts"])

    def shown(request: Request, document: Document) -> dict[str, Any]:
        state = alerts.states([document.document_id]).get(document.document_id)
        return _shown(request, document, None if state is None else asdict(state))

    @router.get("", responses=ERRORS, response_model=list[AlertBody])
    @needs("read")
    async def list_alerts(request: Request, project: Project = None) -> Any:
        """Lists alerts with their states."""

        def listed() -> list[dict[str, Any]]:
            found = documents.list(narrowed(request, project), kind=KIND, bodies=True)
            states = alerts.states([each.document_id for each in found])
            known = {key: asdict(state) for key, state in states.items()}
            return [_shown(request, each, known.get(each.document_id)) for each in found]

        return await answered(listed)

    @router.post("", responses={**CONFLICT, **ERRORS}, response_model=AlertBody)
    @needs("admin")
    async def create_alert(request: Request, body: NewAlert, project: Project = None) -> Any:
        """Saves a new alert, which is looked at at once."""

        def created() -> dict[str, Any]:
            owner = project_of(request, project)
            document = documents.create(
                KIND,
                body.name,
                body.rule.model_dump(),
                project=owner,
                author=author_of(request),
            )
            watch.changed()
            return shown(request, document)

        return await answered(created)

    @router.put("/{document_id}", responses={**CONFLICT, **ERRORS}, response_model=AlertBody)
    @needs("admin")
    async def save_alert(
        request: Request, document_id: DocumentId, body: ChangedAlert, project: Project = None
    ) -> Any:
        """Saves a new version of an alert."""

        def saved() -> dict[str, Any]:
            owner = project_of(request, project)
            before = documents.get(document_id, kind=KIND, project=owner)
            document = documents.save(
                document_id,
                _with_secret(body.rule.model_dump(), before.body or {}),
                kind=KIND,
                version=body.version,
                name=body.name,
                project=owner,
                author=author_of(request),
            )
            watch.changed()
            return shown(request, document)

        return await answered(saved)

    @router.delete("/{document_id}", responses={**CONFLICT, **ERRORS}, response_model=Gone)
    @needs("admin")
    async def delete_alert(
        request: Request, document_id: DocumentId, version: SeenVersion, project: Project = None
    ) -> Any:
        """Deletes an alert with its history."""

        def deleted() -> dict[str, str]:
            owner = project_of(request, project)
            documents.delete(document_id, kind=KIND, version=version, project=owner)
            watch.changed()
            return {"document_id": document_id}

        return await answered(deleted)

    _add_events(router, documents, watch)
    return router


def _add_events(router: APIRouter, documents: Documents, watch: Watch) -> None:
    """Adds the routes of what is told of an alert."""
    alerts = documents.alerts

    @router.get("/{document_id}/events", responses=ERRORS, response_model=list[EventBody])
    @needs("read")
    async def list_events(
        request: Request,
        document_id: DocumentId,
        project: Project = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Any:
        """Lists what was told of an alert, newest first."""

        def listed() -> list[dict[str, Any]]:
            documents.get(document_id, kind=KIND, project=project_of(request, project))
            return [asdict(each) for each in alerts.events(document_id, limit)]

        return await answered(listed)

    @router.post("/{document_id}/test", responses=ERRORS, response_model=EventBody)
    @needs("admin")
    async def test_alert(request: Request, document_id: DocumentId, project: Project = None) -> Any:
        """Sends a test to the alert's webhook."""

        def tested() -> dict[str, Any]:
            owner = project_of(request, project)
            document = documents.get(document_id, kind=KIND, project=owner)
            event = _test_event(alerts, document)
            alerts.add_event(event)
            watch.told()
            return asdict(event)

        return await answered(tested)


def _test_event(alerts: Alerts, document: Document) -> AlertEvent:
    state = alerts.states([document.document_id]).get(document.document_id)
    return AlertEvent(
        alerts.new_id(),
        document.document_id,
        "test",
        alerts.now_ns(),
        None if state is None else state.value,
        "waiting" if (document.body or {}).get("webhook") else "none",
        next_ns=alerts.now_ns(),
    )


def _with_secret(rule: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a rule whose webhook keeps the secret that it had, where none is given."""
    hook, old = rule["webhook"], before.get("webhook")
    if hook is not None and hook["secret"] is None and old is not None:
        return {**rule, "webhook": {**hook, "secret": old["secret"]}}
    return rule


def _shown(request: Request, document: Document, state: Mapping[str, Any] | None) -> dict[str, Any]:
    rule = dict(document.body or {})
    hook = rule.get("webhook")
    if hook is not None:
        admin = getattr(request.state, "key_is_admin", True)
        parts = urlsplit(hook["url"])
        url = hook["url"] if admin else f"{parts.scheme}://{parts.hostname or ''}/…"
        rule["webhook"] = {"url": url, "format": hook["format"], "signed": bool(hook["secret"])}
    known = state or dict.fromkeys(_KNOWN)
    fields = ("document_id", "project", "name", "version", "updated_ns", "author")
    told = {name: getattr(document, name) for name in fields}
    return {**told, "rule": rule, **{name: known[name] for name in _KNOWN}}
