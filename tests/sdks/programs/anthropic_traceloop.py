"""Anthropic's client by OpenLLMetry."""

import anthropic_calls
from common import tracer_provider
from opentelemetry import trace
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

provider = tracer_provider()
# The client makes spans of its own where a provider is set.
trace.set_tracer_provider(provider)
AnthropicInstrumentor().instrument(tracer_provider=provider)
anthropic_calls.ask_all()
provider.shutdown()
