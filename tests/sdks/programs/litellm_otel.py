"""LiteLLM by its own callback."""

import litellm
import litellm_calls
from common import tracer_provider
from litellm.litellm_core_utils.thread_pool_executor import executor
from opentelemetry import trace

provider = tracer_provider()
trace.set_tracer_provider(provider)
litellm.callbacks = ["otel"]
litellm_calls.ask_all()
# The callback runs in threads that nothing waits for.
executor.shutdown(wait=True)
provider.shutdown()
