"""The scorers of a store: documents by their names, and those that are built in."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, TypeAlias

from tracestore.errors import PlayError, UnknownDocumentError, UnknownToolError
from tracestore.play.costs import CallCosts
from tracestore.play.named_documents import NamedDocuments
from tracestore.play.providers.registry import Providers
from tracestore.play.scorers.body import JudgeBody, PythonScorerBody, body_of, check_judge
from tracestore.play.scorers.judge import Judge
from tracestore.play.scorers.python_scorer import PythonScorer, check_function
from tracestore.play.scoring import BuiltInScorers, Scorer
from tracestore.sandbox.sandbox import Sandbox
from tracestore.scorers import ARGUMENTS
from tracestore.store import Document, Documents

KIND: Final = "scorer"

Rows: TypeAlias = list[dict[str, Any]]


class StoredScorers:
    """The scorers of a store. Thread-safe; a scorer's own calls are of the event loop.

    Args:
        documents: have them.
        sandbox: runs functions.
        providers: have the models that judge.
        costs: tell what judges cost.
    """

    def __init__(
        self, documents: Documents, sandbox: Sandbox, providers: Providers, costs: CallCosts
    ) -> None:
        self._documents = NamedDocuments(documents, KIND)
        self._sandbox = sandbox
        self._providers = providers
        self._costs = costs
        self._built_in = BuiltInScorers()

    def names(self, project: str) -> list[str]:
        """Returns the names that there are, built-in ones first."""
        return [*self._built_in.names(project), *self._documents.names(project)]

    def get(self, name: str, project: str) -> Scorer:
        """Returns a scorer as of its newest version; raises UnknownToolError."""
        if name in self._built_in.names(project):
            return self._built_in.get(name, project)
        try:
            return self.of(self._documents.get(name, project))
        except UnknownDocumentError:
            raise UnknownToolError(
                f"cannot find scorer {name!r}: project {project!r} has {', '.join(self.names(project))}"
            ) from None

    def of(self, document: Document) -> PythonScorer | Judge:
        """Returns the scorer that a document is; raises PlayError."""
        body = body_of(document.body)
        return self.made(document.name, document.version, body, document.project)

    def made(
        self, name: str, version: int | None, body: PythonScorerBody | JudgeBody, project: str
    ) -> PythonScorer | Judge:
        """Returns a scorer that may be no document yet."""
        if isinstance(body, PythonScorerBody):
            return PythonScorer(name, version, body, self._sandbox)
        return Judge(name, version, body, project, self._providers, self._costs)

    def built_in(self) -> list[str]:
        """Returns the names that need no document."""
        return list(self._built_in.names(""))

    # --- documents ---

    def list(self, projects: Collection[str] | None) -> list[Document]:
        """Returns the newest versions of the stored ones, in order of project and name."""
        return self._documents.list(projects)

    def document(self, name: str, project: str, version: int | None = None) -> Document:
        """Returns a stored one as of a version, by default the newest; raises UnknownDocumentError."""
        return self._documents.get(name, project, version)

    def save(
        self,
        name: str,
        body: PythonScorerBody | JudgeBody,
        version: int,
        project: str,
        author: str | None,
    ) -> Document:
        """Saves a scorer over a version, 0 for a new one.

        Raises:
            CodeError: with the line that the sandbox does not take.
            DocumentConflictError: where another version is the newest.
            PlayError, TemplateError: where it cannot be kept as it is.
        """
        if name in self._built_in.names(project):
            raise PlayError(
                f"cannot save scorer {name!r}: one of that name is built in; choose another"
            )
        if isinstance(body, PythonScorerBody):
            check_function(self._sandbox, body.code, body.function, ARGUMENTS)
        else:
            check_judge(body)
        return self._documents.save(name, body.model_dump(mode="json"), version, project, author)

    def delete(self, name: str, version: int, project: str) -> None:
        """Removes a scorer with every version; raises DocumentConflictError."""
        self._documents.delete(name, version, project)

    def versions(self, name: str, project: str) -> Rows:
        """Returns the versions that are kept, newest first."""
        return [
            {"version": each.version, "author": each.author, "created_ns": each.created_ns}
            for each in self._documents.versions(name, project)
        ]
