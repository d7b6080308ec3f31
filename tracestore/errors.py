"""Every error type of tracestore, each with a builtin parent.

Messages read *cannot <verb> <thing>: <cause>*, lowercase, without a final stop, and name the remedy
where there is one. Each layer adds exactly its own context, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TraceStoreError(Exception):
    """The parent of every error that tracestore raises on purpose."""


class PayloadError(TraceStoreError, ValueError):
    """A payload that was refused whole, since its framing is broken.

    Attributes:
        offset: byte offset in the payload (after decompression) where reading stopped.
        reason: what was wrong there.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(f"cannot read payload: {reason} at offset {offset}")
        self.reason = reason
        self.offset = offset


class LimitExceededError(TraceStoreError, ValueError):
    """An input that is larger than a limit of `tracestore.limits` allows."""


class PathSyntaxError(TraceStoreError, ValueError):
    """A path whose text form cannot be parsed."""


class CorruptionError(TraceStoreError, ValueError):
    """Stored bytes that are not what was written.

    Attributes:
        path: the file.
        offset: byte offset in the file, or None where the whole file is meant.
        what: what was found there.
    """

    def __init__(self, path: str, what: str, offset: int | None = None) -> None:
        place = path if offset is None else f"{path}: offset {offset}"
        super().__init__(f"{place}: {what}")
        self.path = path
        self.offset = offset
        self.what = what


class FormatVersionError(TraceStoreError, ValueError):
    """A file in a format version that this code cannot read."""


class StoreLockedError(TraceStoreError, OSError):
    """A folder that another process holds for writing.

    Attributes:
        holder: what is known of that process.
        url: where it serves the store, None where it does not or does not say.
    """

    def __init__(self, message: str, holder: str = "", url: str | None = None) -> None:
        super().__init__(message)
        self.holder = holder
        self.url = url


class StoreClosedError(TraceStoreError, ValueError):
    """A store, snapshot or shredder that was used after it was closed."""


class StoreFailedError(TraceStoreError, OSError):
    """A store that refuses writes since a sync or a write failed; reopening it recovers."""


class QueryError(TraceStoreError, ValueError):
    """A query that cannot be answered as it is written."""


class StorageFullError(TraceStoreError, OSError):
    """A request of which nothing was kept, since the disk is full; free space and send it again."""


class SyncFailedError(StoreFailedError):
    """A failed sync to disk, after which nothing can be promised until the store is reopened."""


class UnsupportedPayloadError(TraceStoreError, ValueError):
    """A signal, table, content type or content encoding that this store does not read."""


class ReadOnlyError(TraceStoreError, PermissionError):
    """A write to a store that was opened with mode='r'."""


class StoreExistsError(TraceStoreError, FileExistsError):
    """A folder that should be new holds something."""


class StoreMissingError(TraceStoreError, FileNotFoundError):
    """A folder without a store, or a store whose catalog or segment file is gone."""


class UnknownKeyError(TraceStoreError, LookupError):
    """An id that no live API key has."""


class ProjectForbiddenError(TraceStoreError, PermissionError):
    """A project that rows or a query name, and that the API key is not bound to."""


class DatasetError(TraceStoreError, ValueError):
    """A row that cannot be kept in a dataset as it is, or a name that a dataset cannot have."""


class UnknownDatasetError(TraceStoreError, LookupError):
    """A name that no dataset, version, snapshot or row has."""


class ExperimentError(TraceStoreError, ValueError):
    """An experiment that cannot be described or compared as asked."""


class PatchError(TraceStoreError, ValueError):
    """A patch of a span that cannot be applied as it is written."""


class DocumentError(TraceStoreError, ValueError):
    """A saved document that cannot be kept as it is: its name, its size, or one too many."""


class UnknownDocumentError(TraceStoreError, LookupError):
    """An id or a version that no saved document has."""


class DocumentConflictError(TraceStoreError, ValueError):
    """A change of a document whose version is not the newest, or a name that another one has."""


class TemplateError(TraceStoreError, ValueError):
    """A template that cannot be read, or whose text would be too long."""


class PlayError(TraceStoreError, ValueError):
    """A prompt or a play that cannot be kept or run as it is."""


class UnknownProviderError(TraceStoreError, LookupError):
    """A name that no provider of models has, or one that a project may not use."""


class ProviderError(TraceStoreError, RuntimeError):
    """A call of a model that its provider refused, or did not answer whole.

    Attributes:
        provider: the provider's name.
        status: the HTTP status of its answer, None where none came.
        is_passing: whether the same call may work later.
        retry_after_s: seconds that the provider asks to wait, None where it says nothing.
    """

    def __init__(
        self,
        message: str,
        provider: str,
        status: int | None = None,
        *,
        is_passing: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status = status
        self.is_passing = is_passing
        self.retry_after_s = retry_after_s


class UnknownToolError(TraceStoreError, LookupError):
    """A name that no stored scorer or tool has."""


class CodeError(TraceStoreError, ValueError):
    """Code of a scorer or tool that the sandbox does not take, or that failed.

    Attributes:
        line: of the code, from 1 on; None where no line is to blame.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class SandboxError(TraceStoreError, RuntimeError):
    """Code that could not be run at all: the sandbox has no turn or no process for it now."""


class OutboundRefusedError(TraceStoreError, PermissionError):
    """A request to a host or an address that this server does not send requests to."""


class CatalogError(TraceStoreError, RuntimeError):
    """An operation that the catalog's database refused; the database's own message follows."""


class AnswerReadError(TraceStoreError, ValueError):
    """An answer whose rows were passed on and not kept, asked for them again."""


class NothingStoredError(TraceStoreError, ValueError):
    """Rows of which every one was refused.

    Attributes:
        report: the counts, and the first reasons.
    """

    def __init__(self, message: str, report: Any) -> None:
        super().__init__(message)
        self.report = report


class ClientError(TraceStoreError):
    """An answer of a server that is an error.

    Attributes:
        status: the HTTP status, None where no answer came.
        problem: the server's problem document, empty where it sent none.
    """

    def __init__(self, status: int | None, problem: Mapping[str, Any], text: str) -> None:
        detail = problem.get("detail") or text[:500]
        hint = f"; {problem['hint']}" if problem.get("hint") else ""
        super().__init__(f"{detail}{hint}")
        self.status = status
        self.problem = dict(problem)


class ServerUnreachableError(ClientError, ConnectionError):
    """A server that does not answer: none runs there, or the way to it is broken."""


class NotInstalledError(TraceStoreError, ImportError):
    """A part of tracestore that needs a package which is not installed: the client alone has no store and no server.

    Attributes:
        part: the module that was wanted.
        missing: the module that is not there.
    """

    def __init__(self, part: str, missing: str) -> None:
        super().__init__(
            f"cannot load {part}: {missing} is not installed; `pip install tracestore` brings all of it, "
            "`tracestore-client` what asks servers"
        )
        self.part = part
        self.missing = missing


class UnfitPackageError(TraceStoreError, ImportError):
    """A package that is installed and keeps tracestore from working; the message says what to do."""
