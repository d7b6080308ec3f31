"""The prompts of a store: documents by their slugs, and labels that move between their versions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tracestore.errors import UnknownDocumentError
from tracestore.play.named_documents import NamedDocuments
from tracestore.play.prompts.body import PromptBody, body_of
from tracestore.store import Document, Documents

KIND: Final = "prompt"

LABELS_KIND: Final = "prompt_labels"
"""A document of its own beside each prompt: a label moves without a new version of the prompt, and its way is kept."""

Rows: TypeAlias = list[dict[str, Any]]

MAX_CHANGES: Final = 2000
"""Places that differ between two versions and are listed."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as of one version.

    Attributes:
        labels: the versions that labels stand at.
    """

    slug: str
    project: str
    version: int
    created_ns: int
    updated_ns: int
    author: str | None
    labels: dict[str, int]
    body: PromptBody

    def shown(self) -> dict[str, Any]:
        """Returns it as the API gives it."""
        return {
            "slug": self.slug,
            "project": self.project,
            "version": self.version,
            "created_ns": self.created_ns,
            "updated_ns": self.updated_ns,
            "author": self.author,
            "labels": self.labels,
            "body": self.body.shown(),
        }


class Prompts:
    """The prompts of a store. Thread-safe."""

    def __init__(self, documents: Documents) -> None:
        self._documents = NamedDocuments(documents, KIND)
        self._labels = NamedDocuments(documents, LABELS_KIND)

    def list(self, projects: Collection[str] | None) -> list[Prompt]:
        """Returns the newest versions of prompts in order of project and slug."""
        labels = {(each.project, each.name): _labels(each) for each in self._labels.list(projects)}
        return [
            _prompt(each, labels.get((each.project, each.name), {}))
            for each in self._documents.list(projects)
        ]

    def get(
        self,
        slug: str,
        project: str,
        *,
        version: int | None = None,
        label: str | None = None,
    ) -> Prompt:
        """Returns a prompt as of a version or a label, by default its newest version; raises UnknownDocumentError."""
        labels = self._labels_of(slug, project)
        if label is not None and label not in labels:
            self._documents.get(slug, project)
            known = ", ".join(sorted(labels)) or "none"
            raise UnknownDocumentError(
                f"cannot find prompt {slug!r} with label {label!r}: its labels are {known}"
            )
        wanted = labels[label] if label is not None else version
        return _prompt(self._documents.get(slug, project, wanted), labels)

    def create(self, slug: str, body: PromptBody, project: str, author: str | None) -> Prompt:
        """Saves a new prompt; raises DocumentConflictError where the slug is taken, TemplateError."""
        document = self._documents.save(slug, body.checked().stored(), 0, project, author)
        return _prompt(document, self._labels_of(slug, project))

    def save(
        self, slug: str, body: PromptBody, version: int, project: str, author: str | None
    ) -> Prompt:
        """Saves a new version over the newest one; raises DocumentConflictError, TemplateError."""
        labels = self._labels_of(slug, project)
        document = self._documents.save(
            slug, body.checked().stored(), version, project, author, kept=set(labels.values())
        )
        return _prompt(document, labels)

    def delete(self, slug: str, version: int, project: str) -> None:
        """Removes a prompt with every version and label; raises DocumentConflictError."""
        self._documents.delete(slug, version, project)
        try:
            labels = self._labels.get(slug, project)
        except UnknownDocumentError:
            return
        self._labels.delete(slug, labels.version, project)

    def versions(self, slug: str, project: str) -> Rows:
        """Returns the versions that are kept, newest first, with their labels."""
        labels = self._labels_of(slug, project)
        return [
            {
                "version": each.version,
                "author": each.author,
                "created_ns": each.created_ns,
                "labels": sorted(name for name, at in labels.items() if at == each.version),
            }
            for each in self._documents.versions(slug, project)
        ]

    def label(
        self, slug: str, label: str, version: int | None, project: str, author: str | None
    ) -> Prompt:
        """Moves a label to a version, None takes it away; returns the prompt as of that version."""
        prompt = self.get(slug, project, version=version)

        def moved(labels: dict[str, Any]) -> Mapping[str, Any]:
            labels.pop(label, None)
            return labels if version is None else {**labels, label: version}

        try:
            self._labels.change(slug, moved, project, author)
        except UnknownDocumentError:
            self._labels.save(slug, moved({}), 0, project, author)
        return self.get(slug, project, version=prompt.version)

    def _labels_of(self, slug: str, project: str) -> dict[str, int]:
        try:
            return _labels(self._labels.get(slug, project))
        except UnknownDocumentError:
            return {}


def changes(before: Any, after: Any) -> list[dict[str, Any]]:
    """Returns the places at which two JSON values differ, each with what stands there; None stands for nothing."""
    found: list[dict[str, Any]] = []
    _compare(before, after, [], found)
    return found[:MAX_CHANGES]


def _compare(before: Any, after: Any, path: list[str | int], found: list[dict[str, Any]]) -> None:
    if len(found) > MAX_CHANGES or (before == after and type(before) is type(after)):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            _compare(before.get(key), after.get(key), [*path, key], found)
    elif isinstance(before, list) and isinstance(after, list):
        for at in range(max(len(before), len(after))):
            items = [each[at] if at < len(each) else None for each in (before, after)]
            _compare(items[0], items[1], [*path, at], found)
    else:
        found.append({"path": path, "before": before, "after": after})


def _labels(document: Document) -> dict[str, int]:
    return {name: at for name, at in (document.body or {}).items() if isinstance(at, int)}


def _prompt(document: Document, labels: dict[str, int]) -> Prompt:
    return Prompt(
        document.name,
        document.project,
        document.version,
        document.created_ns,
        document.updated_ns,
        document.author,
        labels,
        body_of(document.body),
    )
