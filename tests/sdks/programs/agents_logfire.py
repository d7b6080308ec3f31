"""OpenAI's agents SDK by Logfire, which also sees the client below."""

import agents_calls
import logfire

logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_openai_agents()
agents_calls.ask_all()
logfire.force_flush()
logfire.shutdown()
