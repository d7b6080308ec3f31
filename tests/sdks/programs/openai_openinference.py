"""OpenAI's client by OpenInference."""

import openai_calls
from common import tracer_provider
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = tracer_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
with using_attributes(session_id="s1", user_id="u1", tags=["a", "b"], metadata={"plan": "pro"}):
    openai_calls.ask_all()
provider.shutdown()
