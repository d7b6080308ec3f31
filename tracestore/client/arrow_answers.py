"""The answer of a server as it comes: an Arrow stream whose last batch tells what is known at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from tracestore.errors import ClientError
from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = LazyModule("pyarrow")

END: Final = b"tracestore.end"
"""The key of the last batch's metadata, which is empty and tells of types, warnings, statistics and the cursor."""


class ArrowAnswer:
    """The source of an answer that a server sends; `tracestore.Answer` reads it.

    Args:
        stream: the whole of it.
    """

    def __init__(self, stream: bytes) -> None:
        reader = pa.ipc.open_stream(pa.py_buffer(stream))
        self.schema = pa.schema([field.remove_metadata() for field in reader.schema])
        self._batches: list[pa.RecordBatch] = []
        told = self._read(reader)
        self.types: list[str] = told["types"]
        self.warnings: list[str] = told["warnings"]
        self.stats = SimpleNamespace(**told["stats"])
        self.cursor: str | None = told["cursor"]
        self.position = self.cursor

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        yield from self._batches

    def cancel(self) -> None:
        """Does nothing: the answer is here."""

    def close(self) -> None:
        """Does nothing: the answer is here."""

    def _read(self, reader: pa.RecordBatchStreamReader) -> dict[str, Any]:
        """Reads all batches, and returns what the last one tells."""
        while True:
            try:
                batch, metadata = reader.read_next_batch_with_custom_metadata()
            except (StopIteration, pa.ArrowException) as error:
                text = "cannot read the answer: it was cut off; ask again"
                raise ClientError(None, {}, text) from error
            if metadata is not None and END in metadata:
                told: dict[str, Any] = json.loads(metadata[END])
                return told
            self._batches.append(pa.RecordBatch.from_arrays(batch.columns, schema=self.schema))
