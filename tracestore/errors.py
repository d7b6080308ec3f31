"""Every error type of tracestore, each with a builtin parent.

Messages read *cannot <verb> <thing>: <cause>*, lowercase, without a final stop, and name the remedy
where there is one. Each layer adds exactly its own context, once.
"""

from __future__ import annotations


class TraceStoreError(Exception):
    """Is the parent of every error that tracestore raises on purpose."""


class PayloadError(TraceStoreError, ValueError):
    """Says that a payload was refused whole: its framing is broken.

    Attributes:
        offset: byte offset in the payload (after decompression) where reading stopped.
        reason: what was wrong there.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(f"cannot read payload: {reason} at offset {offset}")
        self.reason = reason
        self.offset = offset


class LimitExceededError(TraceStoreError, ValueError):
    """Says that an input is larger than a limit of `tracestore.limits` allows."""


class PathSyntaxError(TraceStoreError, ValueError):
    """Says that a path's text form cannot be parsed."""


class CorruptionError(TraceStoreError, ValueError):
    """Says that stored bytes are not what was written.

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
    """Says that a file was written in a format version this code cannot read."""


class StoreLockedError(TraceStoreError, OSError):
    """Says that another process holds the store's folder for writing."""


class StoreClosedError(TraceStoreError, ValueError):
    """Says that a store, snapshot or shredder was used after it was closed."""


class StoreFailedError(TraceStoreError, OSError):
    """Says that the store refuses writes since a sync or write failed; reopening it recovers."""


class QueryError(TraceStoreError, ValueError):
    """Says that a query cannot be answered as written."""


class StorageFullError(TraceStoreError, OSError):
    """Says that the disk is full: nothing of the request was kept; free space and send it again."""


class SyncFailedError(StoreFailedError):
    """Says that a sync to disk failed, so nothing more can be promised until the store is reopened."""


class UnsupportedPayloadError(TraceStoreError, ValueError):
    """Says that a signal, table, content type or content encoding is not one this store reads."""


class ReadOnlyError(TraceStoreError, PermissionError):
    """Says that a store opened with mode='r' was asked to write."""


class StoreMissingError(TraceStoreError, FileNotFoundError):
    """Says that a folder holds no store, or a store whose catalog or segment file is gone."""


class UnknownKeyError(TraceStoreError, LookupError):
    """Says that no live API key has an id."""


class ProjectForbiddenError(TraceStoreError, PermissionError):
    """Says that an API key is not bound to the project that rows or a query name."""


class DatasetError(TraceStoreError, ValueError):
    """Says that rows cannot be kept in a dataset as they are, or that a dataset cannot be named so."""


class UnknownDatasetError(TraceStoreError, LookupError):
    """Says that there is no dataset, version, snapshot or row of a name."""


class ExperimentError(TraceStoreError, ValueError):
    """Says that an experiment cannot be described or compared as asked."""


class PatchError(TraceStoreError, ValueError):
    """Says that a patch of a span cannot be applied as it is written."""


class CatalogError(TraceStoreError, RuntimeError):
    """Says that the catalog's database refused an operation; its own message follows."""
