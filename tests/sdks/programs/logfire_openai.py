"""OpenAI's client by Logfire."""

import logfire
import openai_calls

logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_openai()
openai_calls.ask_all()
logfire.force_flush()
logfire.shutdown()
