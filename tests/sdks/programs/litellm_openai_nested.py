"""LiteLLM and OpenAI's client below it, both by OpenInference: one call is inside of the other."""

import litellm_calls
from common import tracer_provider
from openinference.instrumentation.litellm import LiteLLMInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = tracer_provider()
LiteLLMInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)
litellm_calls.ask_all()
provider.shutdown()
