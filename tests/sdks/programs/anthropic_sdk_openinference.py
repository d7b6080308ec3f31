"""Anthropic's client by OpenInference."""

import anthropic_calls
from common import tracer_provider
from openinference.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry import trace

provider = tracer_provider()
# The client makes spans of its own where a provider is set.
trace.set_tracer_provider(provider)
AnthropicInstrumentor().instrument(tracer_provider=provider)
anthropic_calls.ask_all()
provider.shutdown()
