"""LangChain and LangGraph by OpenLLMetry."""

import langchain_calls
from common import tracer_provider
from opentelemetry.instrumentation.langchain import LangchainInstrumentor

provider = tracer_provider()
LangchainInstrumentor().instrument(tracer_provider=provider)
langchain_calls.ask_all()
provider.shutdown()
