"""An eval's spans: made and collected with opentelemetry-sdk, sent as OTLP by the trace.

Spans that the user's own instrumentation makes while a case runs carry the case's trace, whichever tracer
provider they come from: where the process has an SDK provider it gets our processor too, where it has none
ours becomes the global one.
"""

from __future__ import annotations

import json
import queue
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import Tracer

SCORER: Final = "scorer"
"""The purpose of spans that are no part of the task: their tokens do not count."""

REQUEST_BYTES: Final = 8 * 1024 * 1024
"""Traces are sent together up to about this size; the server takes 64 MiB."""

_PLAIN: Final = frozenset({"type", "row_id"})

_PURPOSE_KEY: Final = otel_context.create_key("tracestore-purpose")

Send = Callable[[bytes], None]
"""Sends one OTLP request of traces; returns when it is stored."""


def attributes(values: Mapping[str, Any]) -> dict[str, str]:
    """Returns fields of an eval's span as attributes: `tracestore.<name>`, each its JSON; None is left out.

    The type of a span, and the id of a row, are plain text.
    """
    return {
        f"tracestore.{name}": value
        if name in _PLAIN
        else json.dumps(value, default=str, ensure_ascii=False)
        for name, value in values.items()
        if value is not None
    }


@contextmanager
def scoring() -> Iterator[None]:
    """Marks spans that are made inside as a scorer's."""
    token = otel_context.attach(otel_context.set_value(_PURPOSE_KEY, SCORER))
    try:
        yield
    finally:
        otel_context.detach(token)


class Collector:
    """The spans of traces under way; each trace is sent when it is said to be done. Thread-safe.

    A thread of its own sends; errors are kept, and spans sent after one are tried all the same.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._spans: dict[int, list[ReadableSpan]] = {}
        self._bodies: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.errors: list[Exception] = []
        self._thread = threading.Thread(target=self._run, name="eval spans", daemon=True)
        self._thread.start()

    def begin(self, trace_id: int) -> None:
        """Gathers a trace's spans from now on."""
        with self._lock:
            self._spans[trace_id] = []
        _collectors[trace_id] = self

    def add(self, trace_id: int, span: ReadableSpan) -> None:
        """Takes a span that has ended."""
        with self._lock:
            if trace_id in self._spans:
                self._spans[trace_id].append(span)

    def done(self, trace_id: int) -> None:
        """Sends what a trace has so far; spans that end later are sent by `close`."""
        with self._lock:
            spans, self._spans[trace_id] = self._spans[trace_id], []
        if spans:
            self._bodies.put(encode_spans(spans).SerializeToString())

    def forget(self, trace_id: int) -> None:
        """Drops a trace that nobody is to see."""
        with self._lock:
            self._spans.pop(trace_id, None)
        _collectors.pop(trace_id, None)

    def close(self) -> None:
        """Sends what is left and returns when everything was sent, or failed."""
        with self._lock:
            traces = list(self._spans)
        for trace_id in traces:
            self.done(trace_id)
            _collectors.pop(trace_id, None)
        self._bodies.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            body = self._bodies.get()
            parts: list[bytes] = []
            size = 0
            while body is not None:
                parts.append(body)
                size += len(body)
                if size >= REQUEST_BYTES or self._bodies.empty():
                    break
                body = self._bodies.get()
            open_ = body is not None
            if parts:
                self._try(b"".join(parts))

    def _try(self, request: bytes) -> None:
        # Messages of protobuf that stand one behind the other are one message with all their items.
        try:
            self._send(request)
        except Exception as error:  # noqa: BLE001 - of whatever kind: the run goes on and reports it
            self.errors.append(error)


_collectors: dict[int, Collector] = {}
_providers: weakref.WeakSet[TracerProvider] = weakref.WeakSet()
_own: TracerProvider | None = None
_setup = threading.Lock()


class _Router(SpanProcessor):
    """A span processor that hands spans of a case's trace to its collector, marked where a scorer made them."""

    def on_start(self, span: Span, parent_context: otel_context.Context | None = None) -> None:
        context = span.get_span_context()
        if context.trace_id not in _collectors:
            return
        purpose = otel_context.get_value(_PURPOSE_KEY, parent_context)
        if purpose is not None:
            span.set_attribute("tracestore.purpose", str(purpose))

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        collector = _collectors.get(context.trace_id) if context is not None else None
        if context is not None and collector is not None:
            collector.add(context.trace_id, span)

    def shutdown(self) -> None:
        """Has nothing to end."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Has nothing to flush."""
        del timeout_millis
        return True


def tracer() -> Tracer:
    """Returns the tracer of evals, and sees to it that spans of other tracers are collected too."""
    global _own  # noqa: PLW0603 - one provider a process, as the SDK has it
    with _setup:
        if _own is None:
            _own = TracerProvider(resource=Resource.create({"service.name": "tracestore-eval"}))
            _attach(_own)
            if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
                trace.set_tracer_provider(_own)
        provider = trace.get_tracer_provider()
        if isinstance(provider, TracerProvider):
            _attach(provider)
        return _own.get_tracer("tracestore.evals")


def _attach(provider: TracerProvider) -> None:
    if provider not in _providers:
        provider.add_span_processor(_Router())
        _providers.add(provider)
