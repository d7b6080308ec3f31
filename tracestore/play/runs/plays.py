"""The plays of a store: documents that several people change at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, TypeAlias

from tracestore.play.runs import edits as play_edits
from tracestore.play.runs.body import SERVERS_OWN, PlayBody, play_of
from tracestore.play.runs.edits import Edit
from tracestore.store import Document, Documents, DocumentVersion

KIND: Final = "play"

Listed: TypeAlias = list[Document]
Numbers: TypeAlias = list[int]


class Plays:
    """The plays of a store. Thread-safe."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def list(self, projects: Collection[str] | None) -> Listed:
        """Returns the newest versions of plays without their bodies."""
        return self._documents.list(projects, kind=KIND)

    def get(self, document_id: str, project: str, version: int | None = None) -> Document:
        """Returns a play as of a version, by default its newest; raises UnknownDocumentError."""
        return self._documents.get(document_id, kind=KIND, project=project, version=version)

    def versions(self, document_id: str, project: str) -> tuple[DocumentVersion, ...]:
        """Returns the versions that are kept, newest first."""
        return self._documents.versions(document_id, kind=KIND, project=project)

    def create(self, name: str, body: PlayBody, project: str, author: str | None) -> Document:
        """Saves a new play; raises DocumentConflictError where the name is taken."""
        stored = body.stored()
        for column in stored.get("columns", {}).values():
            for field in SERVERS_OWN:
                column.pop(field, None)
        return self._documents.create(KIND, name, stored, project=project, author=author)

    def edit(
        self,
        document_id: str,
        edits: Sequence[Edit],
        project: str,
        author: str | None,
        name: str | None = None,
    ) -> tuple[Document, Numbers]:
        """Changes single places; returns the play, and the numbers of the edits whose place is gone.

        Raises:
            PlayError: where it would be no play any more; nothing is changed then.
        """
        ignored: Numbers = []

        def changed(body: dict[str, Any]) -> Mapping[str, Any]:
            nonlocal ignored
            ignored = play_edits.apply(body, edits)
            return play_of(body).stored()

        document = self._documents.edit(
            document_id, changed, kind=KIND, name=name, project=project, author=author
        )
        return document, ignored

    def note_runs(
        self,
        document_id: str,
        columns: Mapping[str, Mapping[str, str | None]],
        project: str,
        author: str | None,
    ) -> Document:
        """Notes what runs set of columns, in a version of its own; a column that is gone is left out."""

        def changed(body: dict[str, Any]) -> Mapping[str, Any]:
            for column_id, own in columns.items():
                column = body.get("columns", {}).get(column_id)
                if column is not None:
                    column.update(own)
            return body

        return self._documents.edit(
            document_id,
            changed,
            kind=KIND,
            project=project,
            author=author,
            begins_version=True,
        )

    def delete(self, document_id: str, version: int, project: str) -> None:
        """Removes a play with every version; its experiments stay as long as they are kept."""
        self._documents.delete(document_id, kind=KIND, version=version, project=project)


def document_shown(document: Document) -> dict[str, Any]:
    """Returns a play's document as the API gives it."""
    fields = ("document_id", "project", "name", "version", "created_ns", "updated_ns", "author")
    return {**{name: getattr(document, name) for name in fields}, "body": document.body}
