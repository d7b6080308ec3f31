"""pydantic-ai by Logfire."""

import logfire
from common import OPENAI_URL, QUESTION, SYSTEM, lookup_order
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_pydantic_ai()
model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(base_url=OPENAI_URL, api_key="none"))
agent = Agent(model, instructions=SYSTEM, name="support")
agent.tool_plain(lookup_order)
agent.run_sync(QUESTION)
logfire.force_flush()
logfire.shutdown()
