"""LangChain and LangGraph by OpenInference."""

import langchain_calls
from common import tracer_provider
from openinference.instrumentation.langchain import LangChainInstrumentor

provider = tracer_provider()
LangChainInstrumentor().instrument(tracer_provider=provider)
langchain_calls.ask_all()
provider.shutdown()
