"""What programs ask of OpenAI's agents SDK, however it is instrumented."""

import json

import agents
import common
import openai


@agents.function_tool
def lookup_order(order: int) -> str:
    """Says where an order is."""
    return json.dumps(common.lookup_order(order))


def ask_all() -> None:
    """Runs an agent with a tool on each of OpenAI's APIs."""
    client = openai.AsyncOpenAI(base_url=common.OPENAI_URL, api_key="none", max_retries=0)
    for kind in (agents.OpenAIChatCompletionsModel, agents.OpenAIResponsesModel):
        agent = agents.Agent(
            name="support",
            instructions=common.SYSTEM,
            model=kind(model="gpt-4o", openai_client=client),
            tools=[lookup_order],
        )
        agents.Runner.run_sync(agent, common.QUESTION)
