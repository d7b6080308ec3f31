"""What people save: views, queries, boards, alerts, prompts and more. Each has versions, and nobody's change is lost.

A save names the version that it began with. Where another save came first it is refused, and the caller sees both. An
edit changes a part of what is there whoever came first, so that several people can write at one time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from tracestore.errors import DocumentConflictError, DocumentError, UnknownDocumentError
from tracestore.store.alerts import Alerts
from tracestore.store.catalog import documents as tables
from tracestore.store.catalog.documents import Document, DocumentVersion
from tracestore.store.catalog.schema.tables import DOCUMENTS
from tracestore.store.core import Core
from tracestore.store.write import payloads
from tracestore.store.write.allowed_projects import DEFAULT_PROJECT

KINDS: Final = (
    "view", "query", "board", "queue", "alert", "prompt", "prompt_labels", "play", "provider",
    "scorer", "tool", "gateway_spending",
)  # fmt: skip

MAX_BODY_BYTES: Final = 256 * 1024
"""Bytes of a body as JSON: a board of a hundred tiles with SQL of a page each."""

MAX_LARGE_BODY_BYTES: Final = 1024 * 1024
"""Bytes of a prompt or a play: eight columns with a long conversation each."""

_LARGE: Final = ("prompt", "play")

SAME_VERSION_S: Final = 60.0
"""Seconds within which a person's next edit is of the same version: what is typed without a pause is one."""

_NS: Final = 1_000_000_000

MAX_DOCUMENTS: Final = 2000
"""Documents of a project: what a list shows whole."""

MAX_PROJECT_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the newest bodies of a project: a list with bodies is one answer, and stays in memory while it is made."""

MAX_NAME_CHARACTERS: Final = 200
"""Characters of a name: a line of a list."""


class Documents:
    """The documents of a store. Thread-safe.

    Attributes:
        alerts: what is known of the documents that are alerts.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.alerts = Alerts(core)

    def list(
        self,
        projects: Collection[str] | None = None,
        *,
        kind: str | None = None,
        bodies: bool = False,
    ) -> list[Document]:
        """Returns the newest versions of documents in order of project, kind and name.

        Args:
            projects: whose documents, None for all.
            kind: of which kind, None for every kind.
            bodies: whether bodies come too.
        """
        self._core.require_open()
        with self._core.catalog.transaction() as connection:
            if not sa.inspect(connection).has_table(DOCUMENTS.name):
                return []  # a catalog of version 3, opened by a reader
            return tables.listed(connection, projects, kind, bodies=bodies)

    def get(
        self,
        document_id: str,
        *,
        kind: str,
        project: str | None = None,
        version: int | None = None,
    ) -> Document:
        """Returns a document as of a version, by default the newest.

        Raises UnknownDocumentError, also where it is of another kind or project.
        """
        self._core.require_open()
        with self._core.catalog.transaction() as connection:
            document = tables.found(connection, document_id, version)
        return _owned(document, document_id, kind, project, version)

    def find(self, document_id: str, *, kind: str) -> Document:
        """Returns the newest version of a document of any project; raises UnknownDocumentError."""
        self._core.require_open()
        with self._core.catalog.transaction() as connection:
            document = tables.found(connection, document_id, None)
        return _owned(document, document_id, kind, document.project if document else None, None)

    def named(self, name: str, *, kind: str, project: str | None = None) -> Document:
        """Returns the newest version of the document that has a name; raises UnknownDocumentError."""
        self._core.require_open()
        with self._core.catalog.transaction() as connection:
            found = None
            if sa.inspect(connection).has_table(DOCUMENTS.name):
                owner = tables.name_owner(connection, project or DEFAULT_PROJECT, kind, name)
                found = tables.found(connection, owner, None) if owner else None
        if found is None:
            raise UnknownDocumentError(
                f"cannot find {kind} {name!r} in project {project or DEFAULT_PROJECT!r}; it may have been deleted"
            )
        return found

    def versions(
        self, document_id: str, *, kind: str, project: str | None = None
    ) -> tuple[DocumentVersion, ...]:
        """Returns the versions that are kept of a document, newest first; raises UnknownDocumentError."""
        self.get(document_id, kind=kind, project=project)
        with self._core.catalog.transaction() as connection:
            return tuple(tables.versions(connection, document_id))

    def create(
        self,
        kind: str,
        name: str,
        body: Mapping[str, Any],
        *,
        project: str | None = None,
        author: str | None = None,
    ) -> Document:
        """Saves a new document as its version 1.

        Raises:
            DocumentConflictError: where the name is taken.
            DocumentError: where name or body cannot be kept.
        """
        self._core.require_catalog()
        project = project or DEFAULT_PROJECT
        payloads.check_name(project, "project")
        if kind not in KINDS:
            raise DocumentError(f"cannot save a {kind}: want one of {', '.join(KINDS)}")
        text = _checked(kind, name, body)
        now_ns = self._core.clock.now_ns()
        document_id = self._core.ulids.make(now_ns)
        document = Document(
            document_id, project, kind, name, 1, now_ns, now_ns, author, json.loads(text)
        )
        with self._core.catalog.writing() as connection:
            _check_name_free(connection, document)
            _check_room(connection, project, 1, len(text))
            tables.add_version(connection, document, text)
        return document

    def save(
        self,
        document_id: str,
        body: Mapping[str, Any],
        *,
        kind: str,
        version: int,
        name: str | None = None,
        project: str | None = None,
        author: str | None = None,
        kept: Collection[int] = (),
    ) -> Document:
        """Saves a new version of a document.

        Args:
            document_id: which document.
            body: its new body.
            kind: what it is.
            version: the version that was changed; the newest one, or the save is refused.
            name: its new name, by default the one it has.
            project: whose document it is.
            author: who saves it.
            kept: earlier versions that stay, however old.

        Raises:
            DocumentConflictError: where a newer version is there, or the name is taken.
            DocumentError: where name or body cannot be kept.
            UnknownDocumentError: where there is no such document.
        """
        self._core.require_catalog()
        now_ns = self._core.clock.now_ns()
        with self._core.catalog.writing() as connection:
            old = _newest(connection, document_id, kind, project, version)
            text = _checked(kind, name or old.name, body)
            new = replace(
                old,
                name=name or old.name,
                version=old.version + 1,
                updated_ns=now_ns,
                author=author,
                body=json.loads(text),
            )
            _check_name_free(connection, new)
            _check_room(connection, new.project, 0, len(text) - len(json.dumps(old.body)))
            tables.add_version(connection, new, text, kept)
        return new

    def edit(
        self,
        document_id: str,
        change: Callable[[dict[str, Any]], Mapping[str, Any]],
        *,
        kind: str,
        name: str | None = None,
        project: str | None = None,
        author: str | None = None,
        begins_version: bool = False,
    ) -> Document:
        """Changes a part of a document's newest version, whatever others changed before.

        What a person edits without a pause of SAME_VERSION_S is one version.

        Args:
            document_id: which document.
            change: gets the newest body, its own to change, and returns what takes its place.
            kind: what it is.
            name: its new name, by default the one it has.
            project: whose document it is.
            author: who edits it.
            begins_version: whether a new version begins in any case.

        Raises:
            DocumentConflictError: where the name is taken.
            DocumentError: where name or body cannot be kept.
            UnknownDocumentError: where there is no such document.
        """
        self._core.require_catalog()
        now_ns = self._core.clock.now_ns()
        with self._core.catalog.writing() as connection:
            found = tables.found(connection, document_id, None)
            old = _owned(found, document_id, kind, project, None)
            before = len(json.dumps(old.body))
            body = change(dict(old.body or {}))
            text = _checked(kind, name or old.name, body)
            goes_on = old.author == author and now_ns - old.updated_ns < SAME_VERSION_S * _NS
            goes_on = goes_on and not begins_version
            new = replace(
                old,
                name=name or old.name,
                version=old.version if goes_on else old.version + 1,
                updated_ns=now_ns,
                author=author,
                body=json.loads(text),
            )
            _check_name_free(connection, new)
            _check_room(connection, new.project, 0, len(text) - before)
            if goes_on:
                tables.replace_version(connection, new, text)
            else:
                tables.add_version(connection, new, text)
        return new

    def delete(
        self, document_id: str, *, kind: str, version: int, project: str | None = None
    ) -> None:
        """Removes a document with every version; raises as `save` does."""
        self._core.require_catalog()
        with self._core.catalog.writing() as connection:
            _newest(connection, document_id, kind, project, version)
            tables.remove(connection, [document_id])


def _newest(
    connection: sa.Connection, document_id: str, kind: str, project: str | None, version: int
) -> Document:
    """Returns a document's newest version, which must be the one that a caller saw."""
    known = tables.found(connection, document_id, None)
    document = _owned(known, document_id, kind, project, None)
    if document.version != version:
        who = f" by {document.author}" if document.author else ""
        raise DocumentConflictError(
            f"cannot change {document.kind} {document.name!r}: version {document.version} was saved{who} "
            f"since version {version}; look at it and save again"
        )
    return document


def _owned(
    document: Document | None,
    document_id: str,
    kind: str,
    project: str | None,
    version: int | None,
) -> Document:
    project = project or DEFAULT_PROJECT
    if document is None or (document.project, document.kind) != (project, kind):
        wanted = "" if version is None else f" version {version} of"
        raise UnknownDocumentError(
            f"cannot find{wanted} {kind} {document_id!r} in project {project!r}; it may have been deleted"
        )
    return document


def _checked(kind: str, name: str, body: Mapping[str, Any]) -> str:
    """Returns a body as JSON text; raises DocumentError where it or its name cannot be kept."""
    if not 1 <= len(name.strip()) <= MAX_NAME_CHARACTERS or not name.isprintable():
        raise DocumentError(
            f"cannot save {name[:40]!r}: a name has 1 to {MAX_NAME_CHARACTERS} printable characters"
        )
    try:
        text = json.dumps(dict(body), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentError(f"cannot save {name!r}: its body is not JSON: {error}") from error
    most_bytes = MAX_LARGE_BODY_BYTES if kind in _LARGE else MAX_BODY_BYTES
    if len(text) > most_bytes:
        raise DocumentError(
            f"cannot save {name!r}: its body has {len(text)} bytes; want at most {most_bytes}"
        )
    return text


def _check_name_free(connection: sa.Connection, document: Document) -> None:
    owner = tables.name_owner(connection, document.project, document.kind, document.name)
    if owner not in {None, document.document_id}:
        raise DocumentConflictError(
            f"cannot save {document.kind} {document.name!r}: there is one of that name; choose another"
        )


def _check_room(connection: sa.Connection, project: str, more: int, more_bytes: int) -> None:
    count, size = tables.totals(connection, project)
    if more and count + more > MAX_DOCUMENTS:
        raise DocumentError(
            f"cannot save one more: project {project!r} has {MAX_DOCUMENTS} documents; delete some"
        )
    if more_bytes > 0 and size + more_bytes > MAX_PROJECT_BYTES:
        raise DocumentError(
            f"cannot save: the documents of project {project!r} would have more than {MAX_PROJECT_BYTES} "
            "bytes; delete some"
        )
