"""Saved documents in the catalog's tables, inside a transaction of the caller."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from tracestore.store.catalog.schema.tables import (
    ALERT_EVENTS,
    ALERT_STATES,
    DOCUMENT_VERSIONS,
    DOCUMENTS,
)

MAX_VERSIONS: Final = 100
"""Versions kept of a document: months of a board that is changed daily. The oldest go first."""


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """One version of a document, without its body.

    Attributes:
        author: name of the key that saved it, None where nobody was asked for one.
        created_ns: nanoseconds since 1970.
    """

    version: int
    name: str
    author: str | None
    created_ns: int


@dataclass(frozen=True, slots=True)
class Document:
    """A saved document as of one version.

    Attributes:
        document_id: stays when the name changes.
        kind: what it is: a view, a query, a board, a review queue, an alert.
        version: the version that this is.
        created_ns, updated_ns: of the document and of this version, nanoseconds since 1970.
        author: name of the key that saved this version, None where nobody was asked for one.
        body: a JSON object; None where it was not asked for.
    """

    document_id: str
    project: str
    kind: str
    name: str
    version: int
    created_ns: int
    updated_ns: int
    author: str | None
    body: dict[str, Any] | None


def listed(
    connection: sa.Connection,
    projects: Collection[str] | None,
    kind: str | None,
    *,
    bodies: bool,
) -> list[Document]:
    """Returns the newest versions of documents in order of project, kind and name."""
    query = _joined(bodies=bodies).where(DOCUMENT_VERSIONS.c.version == DOCUMENTS.c.version)
    if projects is not None:
        query = query.where(DOCUMENTS.c.project.in_(list(projects)))
    if kind is not None:
        query = query.where(DOCUMENTS.c.kind == kind)
    query = query.order_by(DOCUMENTS.c.project, DOCUMENTS.c.kind, DOCUMENTS.c.name)
    return [_document(row) for row in connection.execute(query).mappings()]


def found(connection: sa.Connection, document_id: str, version: int | None) -> Document | None:
    """Returns a document as of a version (None for the newest), None where it is not there."""
    wanted = DOCUMENTS.c.version if version is None else version
    query = _joined(bodies=True).where(
        DOCUMENTS.c.document_id == document_id, DOCUMENT_VERSIONS.c.version == wanted
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _document(row)


def versions(connection: sa.Connection, document_id: str) -> list[DocumentVersion]:
    """Returns the versions that are kept, newest first."""
    of = DOCUMENT_VERSIONS.c
    query = sa.select(of.version, of.name, of.author, of.created_ns)
    query = query.where(of.document_id == document_id).order_by(of.version.desc())
    return [DocumentVersion(*row) for row in connection.execute(query)]


def name_owner(connection: sa.Connection, project: str, kind: str, name: str) -> str | None:
    """Returns the id of the document that has a name."""
    of = DOCUMENTS.c
    where = (of.project == project) & (of.kind == kind) & (of.name == name)
    return connection.execute(sa.select(of.document_id).where(where)).scalar()


def totals(connection: sa.Connection, project: str) -> tuple[int, int]:
    """Returns the number of a project's documents and the bytes of their newest bodies."""
    of = DOCUMENTS.c
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(of.bytes), 0))
    row = connection.execute(query.where(of.project == project)).one()
    return int(row[0]), int(row[1])


def add_version(
    connection: sa.Connection, document: Document, text: str, kept: Collection[int] = ()
) -> None:
    """Stores a document's new version and drops its oldest ones beyond MAX_VERSIONS, but those that are kept."""
    head = {
        "name": document.name,
        "version": document.version,
        "bytes": len(text),
    }
    if document.version == 1:
        owner = {"project": document.project, "kind": document.kind}
        times = {"document_id": document.document_id, "created_ns": document.created_ns}
        connection.execute(DOCUMENTS.insert().values(**owner, **times, **head))
    else:
        where = DOCUMENTS.c.document_id == document.document_id
        connection.execute(DOCUMENTS.update().where(where).values(**head))
    of = DOCUMENT_VERSIONS.c
    connection.execute(
        DOCUMENT_VERSIONS.insert().values(
            document_id=document.document_id,
            version=document.version,
            name=document.name,
            body=text,
            author=document.author,
            created_ns=document.updated_ns,
        )
    )
    old = (of.document_id == document.document_id) & (of.version <= document.version - MAX_VERSIONS)
    connection.execute(DOCUMENT_VERSIONS.delete().where(old & of.version.not_in(list(kept))))


def replace_version(connection: sa.Connection, document: Document, text: str) -> None:
    """Puts a body in place of that of a document's newest version."""
    where = DOCUMENTS.c.document_id == document.document_id
    head = {"name": document.name, "bytes": len(text)}
    connection.execute(DOCUMENTS.update().where(where).values(**head))
    of = DOCUMENT_VERSIONS.c
    newest = (of.document_id == document.document_id) & (of.version == document.version)
    connection.execute(
        DOCUMENT_VERSIONS.update()
        .where(newest)
        .values(
            name=document.name,
            body=text,
            author=document.author,
            created_ns=document.updated_ns,
        )
    )


def remove(connection: sa.Connection, document_ids: Collection[str]) -> None:
    """Forgets documents with their versions and with what is known of them as alerts."""
    for table in (ALERT_EVENTS, ALERT_STATES, DOCUMENT_VERSIONS, DOCUMENTS):
        connection.execute(table.delete().where(table.c.document_id.in_(list(document_ids))))


def forget_project(connection: sa.Connection, project: str) -> None:
    """Forgets the documents of a project."""
    query = sa.select(DOCUMENTS.c.document_id).where(DOCUMENTS.c.project == project)
    remove(connection, connection.execute(query).scalars().all())


def _joined(*, bodies: bool) -> sa.Select[Any]:
    body = DOCUMENT_VERSIONS.c.body if bodies else sa.null().label("body")
    columns = (
        DOCUMENTS.c.document_id,
        DOCUMENTS.c.project,
        DOCUMENTS.c.kind,
        DOCUMENT_VERSIONS.c.name,
        DOCUMENT_VERSIONS.c.version,
        DOCUMENTS.c.created_ns,
        DOCUMENT_VERSIONS.c.created_ns.label("updated_ns"),
        DOCUMENT_VERSIONS.c.author,
        body,
    )
    same = DOCUMENT_VERSIONS.c.document_id == DOCUMENTS.c.document_id
    return sa.select(*columns).join(DOCUMENT_VERSIONS, same)


def _document(row: sa.RowMapping) -> Document:
    values = dict(row)
    text = values.pop("body")
    return Document(**values, body=None if text is None else json.loads(text))
