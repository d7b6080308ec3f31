"""The tools of a store: documents by their names."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import httpx

from tracestore.errors import UnknownDocumentError, UnknownToolError
from tracestore.outbound.fence import Fence
from tracestore.play.named_documents import NamedDocuments
from tracestore.play.scorers.python_scorer import check_function
from tracestore.play.tools.body import HttpToolBody, PythonToolBody, body_of
from tracestore.play.tools.running import HttpTool, PythonTool
from tracestore.sandbox.sandbox import Sandbox
from tracestore.store import Document, Documents

KIND: Final = "tool"


class StoredTools:
    """The tools of a store. Thread-safe; a tool's own calls are of the event loop.

    Args:
        documents: have them.
        sandbox: runs functions.
        fence: judges the URLs of requests.
        http: sends them, behind that fence.
    """

    def __init__(
        self, documents: Documents, sandbox: Sandbox, fence: Fence, http: httpx.AsyncClient
    ) -> None:
        self._documents = NamedDocuments(documents, KIND)
        self._sandbox = sandbox
        self._fence = fence
        self._http = http

    def names(self, project: str) -> list[str]:
        """Returns the names that there are."""
        return self._documents.names(project)

    def get(self, name: str, project: str) -> PythonTool | HttpTool:
        """Returns a tool as of its newest version; raises UnknownToolError."""
        try:
            document = self._documents.get(name, project)
        except UnknownDocumentError:
            there = ", ".join(self.names(project)) or "none"
            raise UnknownToolError(
                f"cannot find tool {name!r}: project {project!r} has {there}; define it in the prompt"
            ) from None
        return self.made(name, body_of(document.body))

    def made(self, name: str, body: PythonToolBody | HttpToolBody) -> PythonTool | HttpTool:
        """Returns a tool that may be no document yet."""
        if isinstance(body, PythonToolBody):
            return PythonTool(name, body, self._sandbox)
        return HttpTool(name, body, self._http)

    # --- documents ---

    def list(self, projects: Collection[str] | None) -> list[Document]:
        """Returns the newest versions, in order of project and name."""
        return self._documents.list(projects)

    def document(self, name: str, project: str, version: int | None = None) -> Document:
        """Returns a tool's document as of a version, by default the newest; raises UnknownDocumentError."""
        return self._documents.get(name, project, version)

    def save(
        self,
        name: str,
        body: PythonToolBody | HttpToolBody,
        version: int,
        project: str,
        author: str | None,
    ) -> Document:
        """Saves a tool over a version, 0 for a new one.

        Raises:
            CodeError: with the line that the sandbox does not take.
            OutboundRefusedError: for a host that is not on the list.
            DocumentConflictError: where another version is the newest.
        """
        if isinstance(body, PythonToolBody):
            check_function(self._sandbox, body.code, body.function)
        else:
            self._fence.target(body.request({})[0])
        return self._documents.save(name, body.model_dump(mode="json"), version, project, author)

    def delete(self, name: str, version: int, project: str) -> None:
        """Removes a tool with every version; raises DocumentConflictError."""
        self._documents.delete(name, version, project)
