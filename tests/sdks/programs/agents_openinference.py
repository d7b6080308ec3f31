"""OpenAI's agents SDK by OpenInference."""

import agents_calls
from common import tracer_provider
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

provider = tracer_provider()
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
agents_calls.ask_all()
provider.shutdown()
