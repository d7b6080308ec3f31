"""Langfuse's SDK with its own client of OpenAI, sent to Langfuse's route with nothing changed but the address."""

from common import ASKED, OPENAI_URL, QUESTION
from langfuse import get_client, observe, propagate_attributes
from langfuse.openai import OpenAI

langfuse = get_client()
models = OpenAI(base_url=OPENAI_URL, api_key="none", max_retries=0)


@observe(as_type="tool")
def lookup_order(order: int) -> dict[str, str]:
    return {"city": "Bonn"} if order == 7 else {}


@observe(as_type="agent")
def support(question: str) -> str:
    models.chat.completions.create(model="gpt-4o", messages=ASKED)
    lookup_order(7)
    options = {"include_usage": True}
    chunks = models.chat.completions.create(
        model="gpt-4o", messages=ASKED, stream=True, stream_options=options
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    models.embeddings.create(model="text-embedding-3-small", input=["late parcel"])
    langfuse.score_current_trace(name="helpful", value=0.5)
    return text


with propagate_attributes(session_id="s1", user_id="u1", tags=["a", "b"], metadata={"plan": "pro"}):
    support(QUESTION)
langfuse.flush()
langfuse.shutdown()
