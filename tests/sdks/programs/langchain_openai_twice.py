"""LangChain and OpenAI's client below it, both by OpenInference: each call is in two traces."""

import langchain_calls
from common import tracer_provider
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = tracer_provider()
LangChainInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)
langchain_calls.ask_all()
provider.shutdown()
