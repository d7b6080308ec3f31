"""The server's own requests as spans of its own store, where that is asked for.

Spans go straight into the store, not through the server: storing them makes no request, so there is no loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer

from tracestore.embedded import Store
from tracestore.errors import TraceStoreError

PROJECT: Final = "tracestore"
"""The project of the server's own spans."""


class SelfTracing:
    """The maker and keeper of the server's own spans; `close` stores what is left. The store stays open."""

    def __init__(self, store: Store) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": "tracestore"}))
        self._provider.add_span_processor(BatchSpanProcessor(_StoreExporter(store)))
        self.tracer: Tracer = self._provider.get_tracer("tracestore")

    def close(self) -> None:
        """Stores the spans that wait, and ends the thread that does it."""
        self._provider.shutdown()


class _StoreExporter(SpanExporter):
    def __init__(self, store: Store) -> None:
        self._store = store

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Stores spans; what cannot be stored is lost, as with any exporter."""
        body = encode_spans(spans).SerializeToString()
        try:
            self._store.ingest_otlp(body, "traces", project=PROJECT)
        except (TraceStoreError, OSError):
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS
