"""OpenAI's client by OpenLLMetry."""

import openai_calls
from common import tracer_provider
from opentelemetry.instrumentation.openai import OpenAIInstrumentor

provider = tracer_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
openai_calls.ask_all()
provider.shutdown()
