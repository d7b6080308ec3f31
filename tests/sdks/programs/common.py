"""What every program asks, and where its spans go."""

import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

MODELS_URL = os.environ["MODELS_URL"]
OPENAI_URL = f"{MODELS_URL}/v1"

SYSTEM = "You help customers."
QUESTION = "Where is my late parcel?"
ASKED = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
ORDER = {"type": "object", "properties": {"order": {"type": "integer"}}, "required": ["order"]}
TOOL = {"name": "lookup_order", "description": "Says where an order is.", "parameters": ORDER}
TOOL_RESULT = {"city": "Bonn"}


def lookup_order(order: int) -> dict[str, str]:
    """Says where an order is."""
    return TOOL_RESULT if order == 7 else {}


def tracer_provider() -> TracerProvider:
    """Returns a provider whose spans go where OTEL_EXPORTER_OTLP_ENDPOINT says."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
