"""What programs ask of LangChain and LangGraph, however they are instrumented."""

import contextlib
import json

from common import OPENAI_URL, QUESTION, SYSTEM, lookup_order
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import BadRequestError

CONFIG = {"metadata": {"session_id": "s1", "user_id": "u1"}, "tags": ["a", "b"]}


class Shelf(BaseRetriever):
    """One document, whatever is asked."""

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        return [Document(page_content="Parcels are late in May.", metadata={"source": "faq"})]


@tool("lookup_order")
def order_tool(order: int) -> str:
    """Says where an order is."""
    return json.dumps(lookup_order(order))


def model(name: str = "gpt-4o") -> ChatOpenAI:
    return ChatOpenAI(
        model=name, base_url=OPENAI_URL, api_key="none", max_retries=0, stream_usage=True
    )


def ask_all() -> None:
    """Runs a graph with a tool, a retriever, a call, a stream, and a call in vain."""
    agent = create_agent(model(), [order_tool], system_prompt=SYSTEM, name="support")
    agent.invoke({"messages": [("user", QUESTION)]}, CONFIG)
    Shelf().invoke("late parcels", CONFIG)
    asked = [("system", SYSTEM), ("user", QUESTION)]
    model().invoke(asked, CONFIG)
    for _ in model().stream(asked, CONFIG):
        pass
    with contextlib.suppress(BadRequestError):
        model("broken-1").invoke(asked, CONFIG)
