"""What is wrong with a file that is read here."""

from __future__ import annotations

from tracestore.errors import TraceStoreError


class ParquetFileError(TraceStoreError, ValueError):
    """A Parquet file, or a VARIANT in it, that is not of its format."""
