"""MLflow's tracing of OpenAI's client."""

import os

import mlflow
import openai
import openai_calls
from common import ASKED, OPENAI_URL, QUESTION, lookup_order
from opentelemetry import trace

# Its spans go through the global provider, which can be told to send what it holds.
os.environ["MLFLOW_USE_DEFAULT_TRACER_PROVIDER"] = "false"


@mlflow.trace(span_type="TOOL")
def look_up(order: int) -> dict[str, str]:
    return lookup_order(order)


@mlflow.trace(span_type="AGENT")
def support(question: str) -> str:
    look_up(7)
    with openai.OpenAI(base_url=OPENAI_URL, api_key="none", max_retries=0) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=ASKED)
    return answer.choices[0].message.content


mlflow.openai.autolog()
support(QUESTION)
openai_calls.ask_all()
trace.get_tracer_provider().shutdown()
