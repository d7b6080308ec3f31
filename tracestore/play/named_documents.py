"""Documents of one kind that callers know by their names: scorers, tools and prompts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from tracestore.store import Document, Documents, DocumentVersion

Listed: TypeAlias = list[Document]
Names: TypeAlias = list[str]


class NamedDocuments:
    """The documents of one kind. Thread-safe.

    Args:
        documents: have them, beside those of other kinds.
        kind: which ones.
    """

    def __init__(self, documents: Documents, kind: str) -> None:
        self._documents = documents
        self._kind = kind

    def list(self, projects: Collection[str] | None) -> Listed:
        """Returns the newest versions with their bodies, in order of project and name."""
        return self._documents.list(projects, kind=self._kind, bodies=True)

    def names(self, project: str) -> Names:
        """Returns the names that a project has, in order."""
        return [each.name for each in self._documents.list({project}, kind=self._kind)]

    def get(self, name: str, project: str, version: int | None = None) -> Document:
        """Returns a document as of a version, by default its newest; raises UnknownDocumentError."""
        newest = self._documents.named(name, kind=self._kind, project=project)
        if version is None or version == newest.version:
            return newest
        return self._documents.get(
            newest.document_id, kind=self._kind, project=project, version=version
        )

    def save(
        self,
        name: str,
        body: Mapping[str, Any],
        version: int,
        project: str,
        author: str | None,
        kept: Collection[int] = (),
    ) -> Document:
        """Saves a document over its newest version.

        Args:
            name: its name.
            body: its new body.
            version: the newest one, 0 for a document that is new.
            project: whose document it is.
            author: who saves it.
            kept: earlier versions that stay, however old.

        Raises:
            DocumentConflictError: where another version is the newest, or the name is taken.
            DocumentError: where name or body cannot be kept.
            UnknownDocumentError: where there is no such document.
        """
        if not version:
            return self._documents.create(self._kind, name, body, project=project, author=author)
        return self._documents.save(
            self.get(name, project).document_id,
            body,
            kind=self._kind,
            version=version,
            project=project,
            author=author,
            kept=kept,
        )

    def change(
        self,
        name: str,
        change: Callable[[dict[str, Any]], Mapping[str, Any]],
        project: str,
        author: str | None,
    ) -> Document:
        """Saves what a function makes of the newest body, whoever saved that; raises as `save` does."""
        return self._documents.edit(
            self.get(name, project).document_id,
            change,
            kind=self._kind,
            project=project,
            author=author,
            begins_version=True,
        )

    def delete(self, name: str, version: int, project: str) -> None:
        """Removes a document with every version; raises as `save` does."""
        known = self.get(name, project)
        self._documents.delete(known.document_id, kind=self._kind, version=version, project=project)

    def versions(self, name: str, project: str) -> tuple[DocumentVersion, ...]:
        """Returns the versions that are kept, newest first; raises UnknownDocumentError."""
        known = self.get(name, project)
        return self._documents.versions(known.document_id, kind=self._kind, project=project)
