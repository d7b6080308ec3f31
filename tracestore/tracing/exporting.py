"""`init`: spans of this process go to a server, whoever makes them."""

from __future__ import annotations

import importlib.metadata
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tracestore.errors import TraceStoreError

DEFAULT_URL: Final = "http://127.0.0.1:4318"

INSTRUMENTORS: Final = "opentelemetry_instrumentor"
"""The group of entry points by which installed instrumentations of OpenTelemetry are found."""

# Where several packages instrument one library, one of them is enough: the first of these.
_PREFERRED: Final = ("openinference.", "opentelemetry.")


class TracingError(TraceStoreError, ValueError):
    """Tracing that cannot be set up as asked."""


class _Relay(SpanProcessor):
    """A processor whose target can be changed: a provider keeps its processors for ever."""

    def __init__(self) -> None:
        self.target: SpanProcessor | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Passes on that a span began."""
        if self.target is not None:
            self.target.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Passes on that a span ended."""
        if self.target is not None:
            self.target.on_end(span)

    def shutdown(self) -> None:
        """Sends what is left and ends."""
        target, self.target = self.target, None
        if target is not None:
            target.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Sends what is left."""
        return self.target is None or self.target.force_flush(timeout_millis)


class Tracing:
    """The way of this process's spans to a server; a context manager that ends it."""

    def __init__(self, provider: TracerProvider, relay: _Relay) -> None:
        self.provider = provider
        self._relay = relay

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def flush(self) -> bool:
        """Sends the spans that have ended; returns whether the server has them."""
        return self._relay.force_flush()

    def close(self) -> None:
        """Sends the spans that have ended, and no other from then on."""
        self._relay.shutdown()


_lock = threading.Lock()
_relays: dict[TracerProvider, _Relay] = {}


def init(
    project: str | None = None,
    *,
    url: str | None = None,
    api_key: str | None = None,
    service: str | None = None,
    instrument: Sequence[str] | bool = (),
) -> Tracing:
    """Sends the spans of this process to a server: those of `traced`, and those of any instrumentation.

    A process that has a tracer provider of OpenTelemetry's SDK keeps it. A second call replaces where spans go.

    Args:
        project: owns the spans; default the server's.
        url: the server; default the environment's `TRACESTORE_URL`, else `http://127.0.0.1:4318`.
        api_key: for the server; default the environment's `TRACESTORE_API_KEY`.
        service: the name of this application; default `OTEL_SERVICE_NAME`.
        instrument: installed instrumentations to turn on: `["openai", "langchain"]`, or True for all of them.

    Raises:
        TracingError: naming an instrumentation that is not installed, and those that are.
    """
    base = (url or os.environ.get("TRACESTORE_URL") or DEFAULT_URL).rstrip("/")
    key = api_key or os.environ.get("TRACESTORE_API_KEY")
    headers = {
        **({"Authorization": f"Bearer {key}"} if key else {}),
        **({"x-tracestore-project": project} if project else {}),
    }
    chosen = _chosen(instrument)
    with _lock:
        provider = _provider(service)
        relay = _relays.get(provider)
        if relay is None:
            relay = _relays[provider] = _Relay()
            provider.add_span_processor(relay)
        relay.shutdown()
        exporter = OTLPSpanExporter(endpoint=f"{base}/v1/traces", headers=headers)
        relay.target = BatchSpanProcessor(exporter)
    for turn_on in chosen:
        turn_on(provider)
    return Tracing(provider, relay)


def _provider(service: str | None) -> TracerProvider:
    current = trace.get_tracer_provider()
    if isinstance(current, TracerProvider):
        return current
    resource = Resource.create({SERVICE_NAME: service} if service else {})
    provider = TracerProvider(resource=resource)
    trace.set_tracer_provider(provider)
    return provider


def _chosen(wanted: Sequence[str] | bool) -> list[Callable[[TracerProvider], None]]:
    """Returns what turns on each of the wanted instrumentations."""
    if wanted is False or (not isinstance(wanted, bool) and not wanted):
        return []
    installed = _installed()
    names = sorted(installed) if isinstance(wanted, bool) else list(wanted)
    missing = [name for name in names if name not in installed]
    if missing:
        known = ", ".join(sorted(installed)) or "none"
        raise TracingError(
            f"cannot instrument {missing[0]}: no instrumentation of that name is installed; installed: {known}; "
            f"try pip install openinference-instrumentation-{missing[0].replace('_', '-')}"
        )
    return [installed[name] for name in names]


def _installed() -> dict[str, Callable[[TracerProvider], None]]:
    """Returns what turns on each installed instrumentation, by the name of its entry point."""
    points = list(importlib.metadata.entry_points(group=INSTRUMENTORS))
    points.sort(key=lambda point: [not point.value.startswith(each) for each in _PREFERRED])
    installed: dict[str, Callable[[TracerProvider], None]] = {}
    for point in points:
        installed.setdefault(point.name, _turning_on(point))
    return installed


def _turning_on(point: importlib.metadata.EntryPoint) -> Callable[[TracerProvider], None]:
    def turn_on(provider: TracerProvider) -> None:
        instrumentor: Any = point.load()()
        instrumentor.instrument(tracer_provider=provider)

    return turn_on
